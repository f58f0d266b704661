// First: it must be set before the library is loaded.
import '../no-telemetry.ts';
import { Worker } from 'node:worker_threads';
import { PROGRESS_BYTES } from '../device.ts';
import { messageOf } from '../errors.ts';
import { openSession } from '../onnx/session.ts';
import { giveWay } from '../priority.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { tryEmpty } from './empty-inputs.ts';
import { findBatching } from './find-batching.ts';
import { MeasuredSession } from './measured-session.ts';
import type { TrialAnswer, TrialRequest } from './protocol.ts';

/**
 * The process in which graphs run on made-up inputs: only its end stops a run inside ONNX Runtime, and such an input may do
 * anything. One graph at a time, asked for by the messages of protocol.ts.
 */

const MOST_RUNS_TOLD = 16;

let session: MeasuredSession | undefined;

async function answer(request: TrialRequest): Promise<TrialAnswer> {
  switch (request.kind) {
    case 'open': {
      const lane = { ...request.lane, progress: new SharedArrayBuffer(PROGRESS_BYTES) };
      session = new MeasuredSession(await openSession(request.model, lane), () => tell({ kind: 'running' }));
      return { kind: 'opened', signature: session.signature };
    }
    case 'try':
      if (session === undefined) throw new Error('no graph is open');
      return tryRows(session, request.row);
    case 'empty':
      // A row that does not run still tells whether the process survives it.
      return { kind: 'emptied', empties: session === undefined ? [] : await tryEmpty(session, session.anyRow()) };
    case 'close':
      await session?.release();
      session = undefined;
      return { kind: 'closed' };
  }
}

async function tryRows(of: MeasuredSession, example: readonly Tensor[] | undefined): Promise<TrialAnswer> {
  const { signature, why } = await findBatching(of, example);
  // What was made up need not suit the model; its example must.
  if (of.row === undefined) await (example === undefined ? of.findRow() : of.run(example));
  const { row } = of;
  const bytesPerElement = await of.measureMemory();
  return {
    kind: 'tried',
    signature,
    runs: of.runs.slice(-MOST_RUNS_TOLD),
    ...(bytesPerElement === undefined ? {} : { bytesPerElement }),
    ...(why === undefined ? {} : { why }),
    ...(row === undefined ? {} : { row }),
  };
}

/** Resolves when the message is on its way, so that a run that never ends does not hold it back. */
/** A trial waits for all that serves. */
const NICER_BY = 5;

function tell(message: TrialAnswer): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, () => resolve());
  });
}

/**
 * Ends this process with the server, even during a run that never ends: the thread of such a run gets no events, so another thread watches whether
 * the parent is still there.
 */
function endWithParent(): void {
  const watch = `setInterval(() => process.ppid === ${process.ppid} || process.kill(process.pid, 'SIGKILL'), 1000)`;
  new Worker(watch, { eval: true }).unref();
}

giveWay(NICER_BY);
endWithParent();
process.on('message', (request: TrialRequest) => {
  answer(request).then(tell, (error: unknown) => tell({ kind: 'failed', message: messageOf(error) }));
});
