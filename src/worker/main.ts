import { workerData } from 'node:worker_threads';
import { InferenceSession } from 'onnxruntime-node';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import {
  transferables,
  type Failure,
  type LaneAnswer,
  type LaneAnswers,
  type LaneData,
  type LaneRequest,
  type RunAnswer,
} from '../pool/messages.ts';
import type { Tensor } from '../tensor.ts';
import { runBatch } from './batch.ts';
import { giveWay } from './priority.ts';
import { PROBE_GRAPH } from './probe-graph.ts';
import { openSession, sessionOptions, type LaneSession } from './session.ts';
import { stack } from '../rows.ts';
import { trial } from './trial.ts';
import { makeRow } from './trial-rows.ts';

/** A lane's thread: sessions by model key, one request at a time. Nothing is thrown out of it; answers are tagged. */

const lane = workerData as LaneData;
giveWay();
const sessions = new Map<string, LaneSession>();

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
    const session = await openSession(model, lane, signature);
    sessions.set(model.key, session);
    return { ok: true, signature: session.signature };
  },
  async trial({ key, row }) {
    return trial(find(key), row);
  },
  async warm({ key, sizes, row }) {
    const session = find(key);
    const runs = [];
    const inputs = row ?? makeRow(session.signature, 1);
    for (const items of sizes) {
      const batch = session.signature.inputs.map(({ batchAxis }, index) => {
        const part = inputs[index];
        if (part === undefined) throw new Error('an input of the example is missing');
        return batchAxis === null ? part : stack(Array<Tensor>(items).fill(part), batchAxis);
      });
      // The first run of a shape pays for its memory and, on CUDA, its kernels; the second tells what it costs from then on.
      await session.run(batch);
      runs.push({ items, runMs: (await session.run(batch)).runMs });
    }
    return { ok: true, runs };
  },
  run({ key, tickets }) {
    return runBatch(find(key), tickets);
  },
  async unload({ key }) {
    const session = sessions.get(key);
    sessions.delete(key);
    await session?.release();
    return { ok: true };
  },
};

function find(key: string): LaneSession {
  const session = sessions.get(key);
  if (session === undefined) throw new Error(`model ${key} is not on this lane`);
  return session;
}

/** The piscina entry. */
// eslint-disable-next-line no-restricted-exports -- piscina takes the default export
export default async function handle<Kind extends LaneRequest['kind']>(
  request: Extract<LaneRequest, { kind: Kind }>,
): Promise<LaneAnswer<Kind>> {
  try {
    const answer = await handlers[request.kind](request);
    return request.kind === 'run' ? (moved(answer as RunAnswer) as LaneAnswers[Kind]) : answer;
  } catch (error) {
    const failure: Failure = {
      ok: false,
      code: 'INTERNAL',
      message: error instanceof Error ? error.message : String(error),
    };
    return failure;
  }
}

/** The answer with its output buffers handed over instead of copied. */
function moved(answer: RunAnswer): RunAnswer {
  const buffers = transferables(answer.outcomes.flatMap((outcome) => (outcome.ok ? outcome.outputs : [])));
  if (buffers.length === 0) return answer;
  // Piscina unwraps this on the way out: the main thread receives `answer`. Its types know single transferables only.
  return move({ [transferableSymbol]: buffers, [valueSymbol]: answer }) as unknown as RunAnswer;
}
