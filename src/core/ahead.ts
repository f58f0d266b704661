import type { ModelToServe } from './candidates.ts';
import { nextBatch } from './next-batch.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import { planRun, type Run } from './run.ts';

/**
 * Batches that are sent to a lane while it still runs another. Otherwise a lane waits after each run until the main thread comes to its answer, and then for
 * a core to wake up on; under a crowd, that took a quarter of its time. Only full batches are sent ahead, as no ticket that
 * comes later could have joined them.
 */

/** A longer run is not sent ahead: its tickets cannot be cancelled any more, and urgent ones wait for it. The gap before it is a small part of its time. */
const LONGEST_MS = 50;

/** Whether enough waits for a full batch of the model. */
export function isFull<Payload, Result>({ limits, queue }: QueuedModel<Payload, Result>): boolean {
  return queue.items >= limits.maxItems || queue.cost >= limits.maxCost;
}

/** Whether one of the models has a batch that may be sent ahead. */
export function someIsFull<Payload, Result>(models: Iterable<QueuedModel<Payload, Result>>): boolean {
  for (const model of models) if (!model.stepping && isFull(model)) return true;
  return false;
}

/** The run that may be sent behind one that runs and ends at `startMs`; undefined: none yet. */
export function runAhead<Payload, Result>(
  { model, head, resting }: ModelToServe<Payload, Result>,
  { startMs, ...rest }: { startMs: number; lanes: number; isAlone: (ticket: QueuedTicket<Payload, Result>) => boolean },
): Run<Payload, Result> | undefined {
  if (model.stepping || resting.length > 0 || !isFull(model)) return undefined;
  const batch = nextBatch(model, { head, resting, nowMs: startMs, ...rest });
  if (!('take' in batch) || (batch.cut !== 'items' && batch.cut !== 'cost')) return undefined;
  const run = planRun(model, batch, startMs);
  return run.predictedMs > 0 && run.predictedMs <= LONGEST_MS ? run : undefined;
}
