// First: it must be set before the library is loaded.
import '../no-telemetry.ts';
import { Worker } from 'node:worker_threads';
import { PROGRESS_BYTES } from '../device.ts';
import type { TrialAnswer, TrialRequest, TrialRun } from './protocol.ts';
import { countRows } from '../tensors/rows.ts';
import { elementCount, type Tensor } from '../tensors/tensor.ts';
import { giveWay } from '../priority.ts';
import { LaneSession, openSession, type SessionRun } from '../onnx/session.ts';
import { findBatching } from './find-batching.ts';
import { tryEmpty } from './empty-inputs.ts';
import { makeRow } from './made-up-rows.ts';
import { messageOf } from '../errors.ts';

/**
 * The process in which graphs run on inputs that were made up: nothing but its end stops a run inside ONNX Runtime, and what such an input
 * does nobody knows. One graph at a time, asked for by protocol.ts.
 */

/** Sizes of free dimensions for a row to warm the model with, where the trial ran none. */
const FREE_SIZES = [1, 8, 32, 128];

/** A session that tells before it runs, and remembers what ran. */
class TriedSession extends LaneSession {
  readonly runs: TrialRun[] = [];
  row: readonly Tensor[] | undefined;
  /** The most memory that the process had had before the first run. */
  openBytes = 0;

  override async run(inputs: readonly Tensor[]): Promise<SessionRun> {
    await tell({ kind: 'running' });
    const result = await super.run(inputs);
    const items = countRows(this.signature, inputs);
    const elements = inputs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    this.runs.push({ items, elements, runMs: result.runMs });
    if (items === 1) this.row ??= inputs;
    return result;
  }
}

let session: TriedSession | undefined;

async function answer(request: TrialRequest): Promise<TrialAnswer> {
  switch (request.kind) {
    case 'open': {
      const lane = { ...request.lane, progress: new SharedArrayBuffer(PROGRESS_BYTES) };
      const { spec, graph, signature } = await openSession(request.model, lane);
      session = new TriedSession(spec, graph, signature);
      session.openBytes = peakBytes();
      return { kind: 'opened', signature };
    }
    case 'try': {
      if (session === undefined) throw new Error('no graph is open');
      const { signature, why } = await findBatching(session, request.row);
      // What was made up need not suit the model; its example must.
      if (session.row === undefined) await (request.row === undefined ? findRow(session) : session.run(request.row));
      const { row } = session;
      const bytesPerElement = await measure(session);
      return {
        kind: 'tried',
        signature,
        runs: session.runs.slice(-MOST_RUNS_TOLD),
        ...(bytesPerElement === undefined ? {} : { bytesPerElement }),
        ...(why === undefined ? {} : { why }),
        ...(row === undefined ? {} : { row }),
      };
    }
    case 'empty': {
      if (session === undefined) return { kind: 'emptied', empties: [] };
      // A row that does not run still tells whether the process survives it.
      const row = session.row ?? makeRow(session.signature, FREE_SIZES[0] ?? 1);
      return { kind: 'emptied', empties: await tryEmpty(session, row) };
    }
    case 'close':
      await session?.release();
      session = undefined;
      return { kind: 'closed' };
  }
}

/** Looks for a made-up row that runs. */
async function findRow(of: TriedSession): Promise<void> {
  for (const size of FREE_SIZES) {
    try {
      await of.run(makeRow(of.signature, size));
      return;
    } catch {
      // The next size.
    }
  }
}

/** Sizes of free dimensions, and most elements of an input, at which the time and memory of larger inputs are measured. */
const MEASURED_SIZES = [32, 64, 128, 256, 512];
const MOST_ELEMENTS = 4_000_000;
/** A larger run is made as long as it is predicted to take no longer, or memory has not told enough. */
const MEASURED_MS = 500;
const ENOUGH_BYTES = 32 * 2 ** 20;
const MOST_RUNS_TOLD = 16;

/**
 * Runs larger and larger rows of inputs of free size. Gives the memory of a run by the elements of its inputs, undefined where it was too little
 * to tell.
 */
async function measure(of: TriedSession): Promise<number | undefined> {
  const { inputs } = of.signature;
  const isFree = inputs.some(({ shape, batchAxis }) => shape.some((size, axis) => size === -1 && axis !== batchAxis));
  const grown = (): number => peakBytes() - of.openBytes;
  for (const size of isFree ? MEASURED_SIZES : []) {
    const last = of.runs.at(-1);
    const free = inputs.map(({ shape, batchAxis }) =>
      elementCount(shape.map((own, axis) => (axis === batchAxis ? 1 : own === -1 ? size : own))),
    );
    const elements = free.reduce((sum, count) => sum + count, 0);
    const predictedMs = last === undefined ? 0 : (last.runMs * elements) / Math.max(1, last.elements);
    if (Math.max(...free) > MOST_ELEMENTS || predictedMs > MEASURED_MS || grown() > ENOUGH_BYTES) break;
    // What was made up need not suit the model at every size.
    await of.run(makeRow(of.signature, size)).catch(() => undefined);
  }
  const most = of.runs.reduce((largest, { elements }) => Math.max(largest, elements), 0);
  return most > 0 && grown() > ENOUGH_BYTES ? grown() / most : undefined;
}

/** The most memory that this process has had. */
function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Resolves when the message is on its way, so that a run that never ends does not hold it back. */
function tell(message: TrialAnswer): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, () => resolve());
  });
}

/**
 * A run that never ends must not outlive the server. The thread of a run hears of nothing, so another one watches whether the process
 * that asked is still there.
 */
function endWithParent(): void {
  const watch = `setInterval(() => process.ppid === ${process.ppid} || process.kill(process.pid, 'SIGKILL'), 1000)`;
  new Worker(watch, { eval: true }).unref();
}

giveWay();
endWithParent();
process.on('message', (request: TrialRequest) => {
  answer(request).then(tell, (error: unknown) => tell({ kind: 'failed', message: messageOf(error) }));
});
