import { formBatch, fullFor, type Batch, type Company, type Pace } from './batcher.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { CutReason } from './ticket.ts';

/** The next batch of a model on a lane: those that rest there, and newcomers as far as the limits leave room. */
export function nextBatch<P, R>(
  model: QueuedModel<P, R>,
  {
    head,
    resting,
    nowMs,
  }: { head: QueuedTicket<P, R> | undefined; resting: readonly QueuedTicket<P, R>[]; nowMs: number },
): Batch<QueuedTicket<P, R>> | { readonly waitUntilMs: number } {
  if (resting.length === 0) {
    if (head === undefined) return { waitUntilMs: Infinity };
    const { shapeKey } = head;
    // While nothing is known of run times, a run of one ticket tells more than any guess.
    const limits = model.knowsRuns ? model.limits : { ...model.limits, maxItems: 1, maxDelayMs: 0 };
    return formBatch(model.queue.alike(head), limits, nowMs, {
      company: company(model, shapeKey, nowMs),
      pace: pace(model, shapeKey),
    });
  }
  const take = [...resting];
  let items = resting.reduce((sum, ticket) => sum + ticket.items, 0);
  let cost = resting.reduce((sum, ticket) => sum + ticket.cost, 0);
  let cut: CutReason = 'empty';
  let passed = 0;
  for (const ticket of head === undefined ? [] : model.queue.alike(head)) {
    const full = fullFor(model.limits, items + ticket.items, cost + ticket.cost);
    if (full === undefined) {
      take.push(ticket);
      items += ticket.items;
      cost += ticket.cost;
      continue;
    }
    cut = full;
    passed += 1;
    const mayBePassed = full === 'cost' && nowMs - ticket.enqueuedMs < MAY_BE_PASSED_MS;
    if (!mayBePassed || passed >= MOST_PASSED) break;
  }
  return { take, items, cost, cut };
}

/**
 * Smaller newcomers may pass one for whose cost there is no room, for this long: room comes as the tickets on the lane end, which may take a
 * minute, and the others need not wait for it. After that it comes first, so that it does not wait for ever.
 */
const MAY_BE_PASSED_MS = 10_000;
/** Most tickets to look at: looking further costs more than it gains. */
const MOST_PASSED = 64;

function company<P, R>(model: QueuedModel<P, R>, shapeKey: string, nowMs: number): Company | undefined {
  if (model.limits.maxDelayMs <= 0) return undefined;
  const gapMs = model.estimator.gapMs(shapeKey, nowMs);
  const fit = model.estimator.fit(shapeKey);
  return gapMs === undefined || fit === undefined ? undefined : { gapMs, fixedMs: fit.b };
}

/** None for a stepping model: its program keeps steps short, whatever the batch. */
function pace<P, R>(model: QueuedModel<P, R>, shapeKey: string): Pace | undefined {
  if (model.stepping) return undefined;
  const fit = model.estimator.wallFit(shapeKey);
  return fit === undefined ? undefined : { fit, mostCost: model.costOfRun(shapeKey) };
}
