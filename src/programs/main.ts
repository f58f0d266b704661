import { workerData } from 'node:worker_threads';
import { InferenceSession } from 'onnxruntime-node';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import {
  graphKey,
  type Failure,
  type LaneAnswer,
  type LaneAnswers,
  type LaneRequest,
  type RunAnswer,
} from '../lanes/protocol.ts';
import type { LaneData } from '../device.ts';
import { sessionOptions, type OpeningLane } from '../onnx/graph.ts';
import { GraphProgram } from './graph/program.ts';
import { giveWay } from '../priority.ts';
import { PROBE_GRAPH } from '../onnx/probe-graph.ts';
import type { Program } from './program.ts';
import { transferables } from '../tensors/transferables.ts';
import { openProgram } from './programs.ts';
import { messageOf } from '../errors.ts';

/** A lane's thread: programs by model key, one request at a time. It throws nothing; answers are tagged. */

const lane = workerData as LaneData;
giveWay();
const programs = new Map<string, Program>();

type Handlers = {
  [Kind in LaneRequest['kind']]: (request: Extract<LaneRequest, { kind: Kind }>) => Promise<LaneAnswers[Kind]>;
};

const handlers: Handlers = {
  async probe() {
    const session = await InferenceSession.create(PROBE_GRAPH, sessionOptions({}, lane));
    await session.release();
    return { ok: true };
  },
  async load({ model, signature }) {
    const warnings: string[] = [];
    const opening: OpeningLane = { ...lane, warn: (message) => warnings.push(message) };
    const program = await openProgram(model, opening);
    const { graph } = program;
    if (graph !== undefined && signature !== undefined) graph.signature = signature;
    programs.set(model.key, program);
    if (model.program !== undefined && graph !== undefined) programs.set(graphKey(model.key), new GraphProgram(graph));
    if (model.simulate !== undefined) {
      const { injectFaults } = await import('./faults.ts');
      for (const key of [model.key, graphKey(model.key)])
        if (programs.has(key)) injectFaults(find(key), model.simulate, lane);
    }
    return { ok: true, ...program.description, warnings };
  },
  sign({ key, signature }) {
    const { graph } = find(key);
    if (graph !== undefined) graph.signature = signature;
    return Promise.resolve({ ok: true });
  },
  async warm({ key, ...plan }) {
    return { ok: true, runs: await find(key).warm(plan) };
  },
  run({ key, tickets }) {
    return find(key).run(tickets);
  },
  async unload({ key }) {
    const program = programs.get(key);
    programs.delete(key);
    // It shares the session of its program.
    programs.delete(graphKey(key));
    await program?.release();
    return { ok: true };
  },
};

function find(key: string): Program {
  const program = programs.get(key);
  if (program === undefined) throw new Error(`model ${key} is not on this lane`);
  return program;
}

/** The answer to the last request that came. */
let last: Promise<unknown> = Promise.resolve();

/** The piscina entry. A request that comes while another is served waits for it: a run that another interrupts would measure the time of both. */
// eslint-disable-next-line no-restricted-exports -- piscina takes the default export
export default function handle<Kind extends LaneRequest['kind']>(
  request: Extract<LaneRequest, { kind: Kind }>,
): Promise<LaneAnswer<Kind>> {
  const answer = last.then(() => serve(request));
  last = answer;
  return answer;
}

async function serve<Kind extends LaneRequest['kind']>(
  request: Extract<LaneRequest, { kind: Kind }>,
): Promise<LaneAnswer<Kind>> {
  try {
    const answer = await handlers[request.kind](request);
    return request.kind === 'run' ? (moved(answer as RunAnswer) as LaneAnswers[Kind]) : answer;
  } catch (error) {
    const failure: Failure = {
      ok: false,
      code: 'INTERNAL',
      message: messageOf(error),
    };
    return failure;
  }
}

/** The answer with its output buffers handed over instead of copied. */
function moved(answer: RunAnswer): RunAnswer {
  const buffers = transferables(answer.outcomes.flatMap((outcome) => ('outputs' in outcome ? outcome.outputs : [])));
  if (buffers.length === 0) return answer;
  // Piscina unwraps this on the way out: the main thread receives `answer`. Its types know single transferables only.
  return move({ [transferableSymbol]: buffers, [valueSymbol]: answer }) as unknown as RunAnswer;
}
