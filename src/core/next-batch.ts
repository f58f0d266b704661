import { formBatch, type Batch, type Company } from './batcher.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { BatchLimits } from './ticket.ts';

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
    return formBatch(model.queue.alike(head), model.limits, nowMs, company(model, head.shapeKey, nowMs));
  }
  let items = 0;
  let cost = 0;
  for (const ticket of resting) {
    items += ticket.items;
    cost += ticket.cost;
  }
  const left: BatchLimits = {
    maxItems: model.limits.maxItems - items,
    maxCost: model.limits.maxCost - cost,
    // Those that rest do not wait for company.
    maxDelayMs: 0,
  };
  const fits = head !== undefined && head.items <= left.maxItems && head.cost <= left.maxCost;
  const joining = fits ? formBatch(model.queue.alike(head), left, nowMs) : undefined;
  if (joining === undefined || !('take' in joining))
    return { take: resting, items, cost, cut: head === undefined ? 'empty' : 'items' };
  return {
    take: [...resting, ...joining.take],
    items: items + joining.items,
    cost: cost + joining.cost,
    cut: joining.cut,
  };
}

function company<P, R>(model: QueuedModel<P, R>, shapeKey: string, nowMs: number): Company | undefined {
  if (model.limits.maxDelayMs <= 0) return undefined;
  const gapMs = model.estimator.gapMs(shapeKey, nowMs);
  const fit = model.estimator.fit(shapeKey);
  return gapMs === undefined || fit === undefined ? undefined : { gapMs, fixedMs: fit.b };
}
