import type { BatchLimits, CutReason, Ticket } from './ticket.ts';

export type BatchTicket = Pick<Ticket, 'items' | 'cost' | 'enqueuedMs' | 'deadlineMs'>;

/** A batch to run now. */
export interface Batch<T> {
  readonly take: readonly T[];
  readonly items: number;
  readonly cost: number;
  readonly cut: CutReason;
}

/** What is known of the chance of company. */
export interface Company {
  /** Expected time to the next arrival. */
  readonly gapMs: number;
  /** What a run costs whatever its size: the time saved by one run less. */
  readonly fixedMs: number;
}

/**
 * Cuts the next batch of one model, or says until when to wait for company.
 *
 * @param waiting The head (the ticket to serve next), then the tickets of its shape in service order.
 * @param company What is known of the next arrival; without it the whole delay is waited.
 *
 * The head is always taken, even above the limits: it then runs alone. The walk stops at the first ticket that does not fit,
 * so that a ticket is never overtaken by a smaller one of its shape and priority. A ticket is never split.
 * While a batch is not full, its head may wait `maxDelayMs` since it came; not beyond a deadline in the batch, and not when
 * waiting costs those present (tickets x gapMs) more than the run it saves.
 */
export function formBatch<T extends BatchTicket>(
  waiting: Iterable<T>,
  limits: BatchLimits,
  nowMs: number,
  company?: Company,
): Batch<T> | { readonly waitUntilMs: number } {
  const take: T[] = [];
  let items = 0;
  let cost = 0;
  let firstDeadlineMs = Infinity;
  let full: 'items' | 'cost' | undefined;
  for (const ticket of waiting) {
    if (take.length > 0) {
      full = fullFor(limits, items + ticket.items, cost + ticket.cost);
      if (full !== undefined) break;
    }
    take.push(ticket);
    items += ticket.items;
    cost += ticket.cost;
    firstDeadlineMs = Math.min(firstDeadlineMs, ticket.deadlineMs);
    full = items >= limits.maxItems ? 'items' : cost >= limits.maxCost ? 'cost' : undefined;
    if (full !== undefined) break;
  }
  if (full !== undefined) return { take, items, cost, cut: full };
  const head = take[0];
  if (limits.maxDelayMs <= 0 || head === undefined) return { take, items, cost, cut: 'empty' };
  const waitUntilMs = head.enqueuedMs + limits.maxDelayMs;
  if (nowMs >= waitUntilMs) return { take, items, cost, cut: 'delay' };
  const pays = company === undefined || take.length * company.gapMs <= company.fixedMs;
  return pays && firstDeadlineMs > waitUntilMs ? { waitUntilMs } : { take, items, cost, cut: 'empty' };
}

/** Which limit a batch of so many items and so much cost would pass; undefined: none. */
export function fullFor(limits: BatchLimits, items: number, cost: number): 'items' | 'cost' | undefined {
  if (items > limits.maxItems) return 'items';
  return cost > limits.maxCost ? 'cost' : undefined;
}
