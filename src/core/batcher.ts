import type { Fit } from './estimator.ts';
import type { BatchLimits, CutReason, Ticket } from './ticket.ts';

export type BatchTicket = Pick<Ticket, 'items' | 'cost' | 'enqueuedMs' | 'deadlineMs'>;

/** A batch to run now. */
export interface Batch<T> {
  readonly take: readonly T[];
  readonly items: number;
  readonly cost: number;
  readonly cut: CutReason;
}

/** What is known of the next arrival, and of what waiting for it saves. */
export interface Company {
  /** Expected time to the next arrival. */
  readonly gapMs: number;
  /** Fixed cost of a run whatever its size: the time that one run less would save. */
  readonly fixedMs: number;
}

/** How long a run may become. */
export interface Pace {
  /** Run time in ms = a * cost + b. */
  readonly fit: Fit;
  /** Most cost whose run keeps within the model's limit. */
  readonly mostCost: number;
}

/** What is known of the runs and arrivals of a shape. */
export interface Outlook {
  readonly company?: Company | undefined;
  readonly pace?: Pace | undefined;
}

/** The share of a ticket's time left in which its run should end, because predictions err. */
const DEADLINE_SHARE = 0.9;

/**
 * Cuts the next batch of one model, or says until when to wait for company.
 *
 * @param waiting The head (the ticket to serve next), then the tickets of its shape in service order.
 * @param outlook `company`: what is known of the next arrival; without it the whole delay is waited. `pace`: what is known of run times;
 *   without it they are no reason to cut.
 *
 * The head is always taken, even above the limits: it then runs alone. The walk stops at the first ticket that does not fit,
 * so that a ticket is never overtaken by a smaller one of its shape and priority. A ticket is never split. Further tickets join only while the
 * run stays as short as `pace` allows and, if most of a run's time grows with its size, while it makes no ticket late that would be in time alone.
 * (If it does not grow with the size, small runs would make all tickets behind them late.)
 * While a batch is not full, its head may wait `maxDelayMs` since it came; not beyond a deadline in the batch, and not when
 * waiting costs those present (tickets x gapMs) more than the run it saves.
 */
export function formBatch<T extends BatchTicket>(
  waiting: Iterable<T>,
  limits: BatchLimits,
  nowMs: number,
  { company, pace }: Outlook = {},
): Batch<T> | { readonly waitUntilMs: number } {
  const take: T[] = [];
  let items = 0;
  let cost = 0;
  let firstDeadlineMs = Infinity;
  /** The tightest deadline among tickets that would be in time in a run of their own. */
  let dueMs = Infinity;
  let full: 'items' | 'cost' | 'time' | undefined;
  for (const ticket of waiting) {
    const after = cost + ticket.cost;
    dueMs = Math.min(dueMs, dueOf(ticket, pace, nowMs));
    if (take.length > 0) {
      full =
        fullFor(limits, items + ticket.items, after) ?? tooLong(pace, { before: cost, after, leftMs: dueMs - nowMs });
      if (full !== undefined) break;
    }
    take.push(ticket);
    items += ticket.items;
    cost += ticket.cost;
    firstDeadlineMs = Math.min(firstDeadlineMs, ticket.deadlineMs);
    full = reached(limits, items, cost);
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

/** Whether a run that grows from one cost to another takes too long, with `leftMs` to the tightest deadline. */
function tooLong(
  pace: Pace | undefined,
  { before, after, leftMs }: { before: number; after: number; leftMs: number },
): 'time' | undefined {
  if (pace === undefined) return undefined;
  const { fit, mostCost } = pace;
  return after > mostCost || (fit.a * before >= fit.b && timeOf(fit, after) > leftMs) ? 'time' : undefined;
}

function timeOf({ a, b }: Fit, cost: number): number {
  return a * cost + b;
}

/** When a run with this ticket has to end; Infinity if the ticket will be late anyway. */
function dueOf({ cost, deadlineMs }: BatchTicket, pace: Pace | undefined, nowMs: number): number {
  if (pace === undefined || deadlineMs === Infinity) return Infinity;
  const dueMs = nowMs + DEADLINE_SHARE * (deadlineMs - nowMs);
  return nowMs + timeOf(pace.fit, cost) > dueMs ? Infinity : dueMs;
}

/** Which limit leaves no room for another ticket. */
function reached({ maxItems, maxCost }: BatchLimits, items: number, cost: number): 'items' | 'cost' | undefined {
  if (items >= maxItems) return 'items';
  return cost >= maxCost ? 'cost' : undefined;
}

/** Which limit a batch of so many items and so much cost would pass; undefined: none. */
export function fullFor(limits: BatchLimits, items: number, cost: number): 'items' | 'cost' | undefined {
  if (items > limits.maxItems) return 'items';
  return cost > limits.maxCost ? 'cost' : undefined;
}
