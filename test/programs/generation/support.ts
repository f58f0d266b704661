import type { LaneTicket, RunAnswer, TicketOutcome } from '../../../src/lanes/protocol.ts';
import type { ModelSpec } from '../../../src/model-spec.ts';
import type { LaneData } from '../../../src/device.ts';
import type {
  GenerationOptions,
  GenerationParameters,
  GenerationProgress,
} from '../../../src/tasks/chat/generation.ts';
import { fromTypedArray, typedView, type Tensor } from '../../../src/tensors/tensor.ts';
import { openGenerationProgram } from '../../../src/programs/generation/open.ts';
import type { Program } from '../../../src/programs/program.ts';
import { plainSampling } from '../../../src/programs/sampler/token-sampler.ts';

export const GREEDY = plainSampling(0, 0);

export const LANE: LaneData = { device: { kind: 'cpu' }, intraOpThreads: 1, progress: new SharedArrayBuffer(8) };

export function openTestProgram(
  weights: string,
  own: Partial<GenerationOptions> = {},
  spec: Pick<ModelSpec, 'accuracyLevel'> = {},
): Promise<Program> {
  const options: GenerationOptions = {
    contextTokens: 8192,
    prefillChunk: 128,
    kvCacheBytes: 2 ** 30,
    prefixCacheBytes: 0,
    drafts: true,
    slidingWindow: false,
    ...own,
  };
  const program = { kind: 'generation' as const, graphs: { model: weights }, options: { ...options } };
  return openGenerationProgram({ key: 'test', weights, session: {}, inputs: [], outputs: [], program, ...spec }, LANE);
}

export function promptTensor(ids: readonly number[]): Tensor {
  return fromTypedArray('INT32', [1, ids.length], Int32Array.from(ids));
}

export interface Request {
  readonly prompt: readonly number[];
  readonly parameters?: Partial<GenerationParameters>;
  /** Its first run; default: the first of all. */
  readonly joins?: number;
  /** Leaves once it has this many tokens. */
  readonly leavesAt?: number;
}

export interface Answered {
  /** All tokens, or those until it left. */
  readonly tokens: readonly number[];
  /** Tokens that progress told, before the end. */
  readonly told: readonly number[];
  readonly outcome: TicketOutcome | undefined;
  /** Runs it took part in before its first token was told. */
  readonly runsToFirst: number;
}

/** Runs requests to their ends as the core does: each named in every run from its first on, with inputs in that alone. */
export async function generate(program: Program, requests: readonly Request[], firstId = 0): Promise<Answered[]> {
  const states = requests.map((request, index) => ({
    ...{ request, id: firstId + index, begun: false, done: false, runs: 0, runsToFirst: 0 },
    told: [] as number[],
    outcome: undefined as TicketOutcome | undefined,
  }));
  for (let run = 0; states.some(({ done }) => !done); run += 1) {
    const named = states.filter(({ done, begun, request }) => !done && (begun || run >= (request.joins ?? 0)));
    const answer: RunAnswer = await program.run(
      named.map(({ id, begun, request }): LaneTicket => {
        if (begun) return { id };
        const parameters = { sampling: GREEDY, maxTokens: 48, stopTokens: [], ...request.parameters };
        return { id, inputs: [promptTensor(request.prompt)], parameters };
      }),
    );
    for (const [index, state] of named.entries()) {
      const outcome = answer.outcomes[index];
      state.begun = true;
      state.runs += 1;
      if (outcome !== undefined && 'more' in outcome) {
        state.told.push(...((outcome.progress as GenerationProgress | undefined)?.tokens ?? []));
        if (state.told.length > 0 && state.runsToFirst === 0) state.runsToFirst = state.runs;
        state.done = state.told.length >= (state.request.leavesAt ?? Infinity);
        continue;
      }
      state.outcome = outcome;
      state.done = true;
      if (state.runsToFirst === 0) state.runsToFirst = state.runs;
    }
  }
  return states.map(({ told, outcome, runsToFirst }) => ({
    tokens: tokensOf(outcome) ?? told,
    told,
    outcome,
    runsToFirst,
  }));
}

export function tokensOf(outcome: TicketOutcome | undefined): number[] | undefined {
  if (outcome === undefined || !('outputs' in outcome)) return undefined;
  const [tensor] = outcome.outputs;
  return tensor === undefined || tensor.datatype === 'BYTES' ? undefined : Array.from(typedView(tensor), Number);
}
