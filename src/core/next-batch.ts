import { formBatch, type Batch, type Company } from './batcher.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { BatchLimits, CutReason } from './ticket.ts';

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
  const batch = new GrowingBatch(resting);
  if (head === undefined) return { ...batch.end(), cut: 'empty' };
  let cut: CutReason = 'empty';
  let looked = 0;
  for (const ticket of model.queue.alike(head)) {
    const full = batch.fullFor(ticket, model.limits);
    if (full === undefined) {
      batch.add(ticket);
      continue;
    }
    cut = full;
    looked += 1;
    const mayBePassed = full === 'cost' && nowMs - ticket.enqueuedMs < MAY_BE_PASSED_MS;
    if (!mayBePassed || looked >= MOST_PASSED) break;
  }
  return { ...batch.end(), cut };
}

/**
 * A newcomer for which there is no room for its cost may be passed by smaller ones this long: room comes as those on the lane end, which may
 * take a minute, and the others need not wait with it. After that it is its turn, so that it does not wait for ever.
 */
const MAY_BE_PASSED_MS = 10_000;
/** Looking further would cost more than it finds. */
const MOST_PASSED = 64;

class GrowingBatch<T extends { readonly items: number; readonly cost: number }> {
  readonly #take: T[] = [];
  #items = 0;
  #cost = 0;

  constructor(tickets: Iterable<T>) {
    for (const ticket of tickets) this.add(ticket);
  }

  add(ticket: T): void {
    this.#take.push(ticket);
    this.#items += ticket.items;
    this.#cost += ticket.cost;
  }

  /** What there is too little room of for a further ticket; undefined: it fits. */
  fullFor({ items, cost }: T, limits: BatchLimits): 'items' | 'cost' | undefined {
    if (this.#items + items > limits.maxItems) return 'items';
    return this.#cost + cost > limits.maxCost ? 'cost' : undefined;
  }

  end(): { take: T[]; items: number; cost: number } {
    return { take: this.#take, items: this.#items, cost: this.#cost };
  }
}

function company<P, R>(model: QueuedModel<P, R>, shapeKey: string, nowMs: number): Company | undefined {
  if (model.limits.maxDelayMs <= 0) return undefined;
  const gapMs = model.estimator.gapMs(shapeKey, nowMs);
  const fit = model.estimator.fit(shapeKey);
  return gapMs === undefined || fit === undefined ? undefined : { gapMs, fixedMs: fit.b };
}
