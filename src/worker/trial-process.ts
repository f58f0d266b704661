// First: it must be set before the library is loaded.
import '../no-telemetry.ts';
import { Worker } from 'node:worker_threads';
import { PROGRESS_BYTES } from '../pool/messages.ts';
import type { TrialAnswer, TrialRequest, TrialRun } from '../pool/trial-messages.ts';
import { countRows } from '../rows.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import { giveWay } from './priority.ts';
import { LaneSession, openSession, type SessionRun } from './session.ts';
import { trial } from './trial.ts';
import { makeRow } from './trial-rows.ts';

/**
 * The process in which graphs run on inputs that were made up: nothing but its end stops a run inside ONNX Runtime, and what such an input
 * does nobody knows. One graph at a time, asked for by the messages of trial-messages.ts.
 */

/** Sizes of free dimensions for a row to warm the model with, where the trial ran none. */
const FREE_SIZES = [1, 8, 32, 128];

/** A session that tells before it runs, and remembers what ran. */
class TriedSession extends LaneSession {
  readonly runs: TrialRun[] = [];
  row: readonly Tensor[] | undefined;

  override async run(inputs: readonly Tensor[], options?: { simulate?: boolean }): Promise<SessionRun> {
    await tell({ kind: 'running' });
    const result = await super.run(inputs, options);
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
      return { kind: 'opened', signature };
    }
    case 'try': {
      if (session === undefined) throw new Error('no graph is open');
      const { signature, why } = await trial(session, request.row);
      // What was made up need not suit the model; its example must.
      if (session.row === undefined) await (request.row === undefined ? findRow(session) : session.run(request.row));
      const { row } = session;
      return {
        kind: 'tried',
        signature,
        runs: session.runs,
        ...(why === undefined ? {} : { why }),
        ...(row === undefined ? {} : { row }),
      };
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
  answer(request).then(tell, (error: unknown) =>
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
  );
});
