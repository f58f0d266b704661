import type { LaneData } from '../../device.ts';
import type { LaneTicket, RunAnswer, RunLimits, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import { whyAlone } from '../../onnx/dynamic-quantisation.ts';
import type { LaneSession } from '../../onnx/session.ts';
import {
  BUCKET_SECONDS,
  bucketSeconds,
  framesOf,
  SCORES,
  type CtcOptions,
} from '../../tasks/transcription/ctc/contract.ts';
import { SAMPLE_RATE_HZ } from '../../tasks/transcription/log-mel.ts';
import { FEATURES, isVoiceTicket, TOKENS, VOICE } from '../../tasks/transcription/speech-work.ts';
import { float32, fromTypedArray, oneByOne, typedView, type Signature, type Tensor } from '../../tensors/tensor.ts';
import { runHalving, type RunTotals } from '../halving.ts';
import type { Program, WarmPlan } from '../program.ts';
import type { VoiceActivity } from '../speech/voice-activity.ts';
import { WarmBudget } from '../warm-budget.ts';
import { checkEnds, makeFeeds, readFrames, type GraphEnds } from './feeds.ts';

/** Most seconds of sound in a run. On a CPU a window of 30 s gains nothing from company. */
const MOST_SECONDS = { cpu: 30, cuda: 480 };
/** Windows of one request are prepared side by side, so that this is also memory: 2 MB each. */
const MOST_ROWS = { cpu: 8, cuda: 32 };
/** On a CPU one run says enough. */
const WARM_SECONDS = { cpu: [4], cuda: BUCKET_SECONDS };

export interface CtcParts {
  readonly session: LaneSession;
  readonly voice: Pick<VoiceActivity, 'probabilities' | 'release'>;
  readonly options: CtcOptions;
  readonly device: LaneData['device']['kind'];
}

/** Sound to the likeliest token of each frame, by one graph; rows are padded behind a mask where that changes none of them. A run is of sound, or of questions where somebody speaks. */
export class CtcProgram implements Program {
  readonly graph: LaneSession;
  readonly #parts: CtcParts;
  readonly #ends: GraphEnds;
  readonly #operator: string | undefined;
  readonly #canPad: boolean;

  /** Throws a plain Error where the graph is not one from samples to logits. */
  constructor(parts: CtcParts) {
    const { session, options } = parts;
    this.#parts = parts;
    this.graph = session;
    this.#ends = checkEnds(session.signature);
    this.#operator = session.onnx.dynamicOperator;
    this.#canPad = options.canPad && this.#ends.mask !== undefined && this.#ends.isFree && this.#operator === undefined;
    // Of the tensor API: rows of other requests have other lengths.
    session.signature = oneByOne(session.signature);
  }

  get description(): Program['description'] {
    const none = { batchAxis: 0, shape: [-1, -1] };
    const signature: Signature = {
      inputs: [{ name: FEATURES, datatype: 'FP32', ...none }],
      outputs: [
        { name: TOKENS, datatype: 'INT32', ...none },
        { name: SCORES, datatype: 'FP32', ...none },
        { name: VOICE, datatype: 'FP32', ...none },
      ],
      batchable: this.#canPad,
    };
    const limits: Partial<RunLimits> = {
      maxItems: MOST_ROWS[this.#parts.device],
      maxCost: MOST_SECONDS[this.#parts.device],
    };
    return {
      signature,
      graph: this.graph.signature,
      limits,
      ...(this.#operator === undefined ? {} : { why: whyAlone(this.#operator) }),
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    const isVoice = isVoiceTicket(tickets[0]?.parameters);
    const runWhole = (rows: readonly Float32Array[], totals: RunTotals): Promise<TicketOutcome[]> =>
      isVoice ? this.#voices(rows, totals) : this.#sounds(rows, totals);
    let maxItems: number | undefined;
    const answer = await runHalving(tickets.map(samplesOf), {
      runWhole,
      onOutOfMemory(rows) {
        maxItems = Math.max(1, Math.floor(rows.length / 2));
      },
    });
    return { ...answer, ...(maxItems === undefined ? {} : { maxItems }) };
  }

  async warm({ sizes, limits, budget: spend }: WarmPlan): Promise<WarmAnswer['runs']> {
    const runs = [];
    const budget = new WarmBudget(spend);
    for (const seconds of WARM_SECONDS[this.#parts.device])
      for (const items of this.#canPad ? sizes : [1]) {
        const cost = items * seconds;
        if (cost > limits.maxCost && items > 1) break;
        if (!budget.allows(cost)) return runs;
        const row = new Float32Array(seconds * SAMPLE_RATE_HZ);
        const runMs = await budget.time(cost, async () => {
          const totals: RunTotals = { runMs: 0, stackMs: 0, splitMs: 0 };
          await this.#sounds(Array<Float32Array>(items).fill(row), totals);
          return totals.runMs;
        });
        runs.push({ items, runMs, cost, shapeKey: `sound ${seconds}` });
      }
    return runs;
  }

  async release(): Promise<void> {
    await this.#parts.voice.release();
    await this.graph.release();
  }

  async #sounds(rows: readonly Float32Array[], totals: RunTotals): Promise<TicketOutcome[]> {
    const { options } = this.#parts;
    if (rows.length > 1 && !this.#canPad) throw new Error('rows of this graph run alone');
    const startMs = performance.now();
    const inputs = makeFeeds(this.graph.signature, rows, this.#paddedLength(rows));
    totals.stackMs += performance.now() - startMs;
    const { outputs, runMs } = await this.graph.run(inputs);
    totals.runMs += runMs;
    const splitMs = performance.now();
    const frames = readFrames(
      outputs[this.#ends.logits],
      rows.map(({ length }) => framesOf(length, options.convolutions)),
    );
    totals.splitMs += performance.now() - splitMs;
    return frames.map(({ tokens, scores }) => ({
      ok: true,
      outputs: [fromTypedArray('INT32', [1, tokens.length], tokens), float32([1, scores.length], scores), nothing()],
    }));
  }

  /** On CUDA only lengths that were warmed up: a new shape costs more than the padding. */
  #paddedLength(rows: readonly Float32Array[]): number {
    const longest = rows.reduce((most, { length }) => Math.max(most, length), 1);
    if (this.#parts.device !== 'cuda' || !this.#canPad) return longest;
    return Math.max(longest, bucketSeconds(longest) * SAMPLE_RATE_HZ);
  }

  async #voices(rows: readonly Float32Array[], totals: RunTotals): Promise<TicketOutcome[]> {
    const outcomes: TicketOutcome[] = [];
    for (const row of rows) {
      const startMs = performance.now();
      const found = await this.#parts.voice.probabilities(row);
      totals.runMs += performance.now() - startMs;
      const none = fromTypedArray('INT32', [1, 0], new Int32Array(0));
      outcomes.push({ ok: true, outputs: [none, nothing(), float32([1, found.length], found)] });
    }
    return outcomes;
  }
}

/** A new one each time, because outputs are given away. */
function nothing(): Tensor {
  return float32([1, 0], new Float32Array(0));
}

function samplesOf({ inputs }: LaneTicket): Float32Array {
  const tensor: Tensor | undefined = inputs?.[0];
  const values = tensor === undefined || tensor.datatype === 'BYTES' ? undefined : typedView(tensor);
  return values instanceof Float32Array ? values : new Float32Array(0);
}
