import { timeOf, type Fit } from './estimator.ts';
import type { BatchLimits, CutReason, Ticket } from './ticket.ts';

export type BatchTicket = Pick<Ticket, 'items' | 'cost' | 'priority' | 'enqueuedMs' | 'deadlineMs'>;

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
  /** Runs are planned to take so many times what the fit says, at least 1: they vary. */
  readonly margin: number;
  /** Most cost whose run keeps within the model's limit. */
  readonly mostCost: number;
}

/** What waits of the head's priority, and how many lanes may run it. */
export interface Backlog<T> {
  readonly cost: number;
  readonly lanes: number;
  /** Those of the head's shape, the last to come first. */
  readonly newest: Iterable<T>;
}

/** What is known of the runs and arrivals of a shape. */
export interface Outlook<T> {
  readonly company?: Company | undefined;
  readonly pace?: Pace | undefined;
  readonly backlog?: Backlog<T> | undefined;
}

/** Rounding is not to make a run late that ends at the very deadline. */
const ROUNDING_MS = 1e-6;

/**
 * Whether a ticket has waited so long that even a run of its own would end too late. One whose whole time is shorter than that run
 * is not: that may be the fault of the prediction, so it has its try.
 */
export function isLate({ cost, enqueuedMs, deadlineMs }: BatchTicket, { fit }: Pace, nowMs: number): boolean {
  const runMs = timeOf(fit, cost);
  return nowMs + runMs > deadlineMs + ROUNDING_MS && enqueuedMs + runMs <= deadlineMs;
}

/**
 * Cuts the next batch of one model, or says until when to wait for company.
 *
 * @param waiting The head (the ticket to serve next), then the tickets of its shape in service order.
 * @param outlook `company`: what is known of the next arrival; without it the whole delay is waited. `pace`: what is known of run times;
 *   without it they are no reason to cut. `backlog`: without it no ticket is passed for the sake of others.
 *
 * The head is always taken, even above the limits: it then runs alone. The walk stops at the first ticket that does not fit,
 * so that a ticket is never overtaken by a smaller one of its shape and priority. A ticket is never split. Further tickets join only while the
 * run stays as short as `pace` allows, and while none is late that would be in time alone. Those that are late anyway are passed.
 * Under overload the first tickets have so little time left that they allow only a small batch, and small runs make all behind them late:
 * then the largest batch of the newest goes first (`isCrowded`).
 * While a batch is not full, its head may wait `maxDelayMs` since it came, but not so long that its run would be late, and not when
 * waiting costs those present (tickets x gapMs) more than the run it saves.
 */
export function formBatch<T extends BatchTicket>(
  waiting: Iterable<T>,
  limits: BatchLimits,
  nowMs: number,
  { company, pace, backlog }: Outlook<T> = {},
): Batch<T> | { readonly waitUntilMs: number } {
  let walked = walk(waiting, { limits, nowMs, pace });
  if (pace !== undefined && backlog !== undefined && isCrowded(walked, { limits, pace, backlog })) {
    const larger = walk(withMostTime(backlog.newest, { limits, pace, nowMs }), { limits, nowMs, pace });
    if (larger.cost > walked.cost) walked = larger;
  }
  const { take, items, cost, full } = walked;
  if (full !== undefined) return { take, items, cost, cut: full };
  const head = take[0];
  if (limits.maxDelayMs <= 0 || head === undefined) return { take, items, cost, cut: 'empty' };
  const delayedMs = head.enqueuedMs + limits.maxDelayMs;
  const waitUntilMs = Math.min(delayedMs, lastMoment(walked, pace, { nowMs, delayedMs }));
  if (nowMs >= waitUntilMs) return { take, items, cost, cut: nowMs >= delayedMs ? 'delay' : 'empty' };
  const pays = company === undefined || take.length * company.gapMs <= company.fixedMs;
  return pays ? { waitUntilMs } : { take, items, cost, cut: 'empty' };
}

interface Walked<T> {
  readonly take: readonly T[];
  readonly items: number;
  readonly cost: number;
  /** The tightest deadline of those that a run of their own would keep. */
  readonly dueMs: number;
  readonly full: 'items' | 'cost' | 'time' | undefined;
}

interface Terms {
  readonly limits: BatchLimits;
  readonly nowMs: number;
  readonly pace: Pace | undefined;
}

function walk<T extends BatchTicket>(waiting: Iterable<T>, { limits, nowMs, pace }: Terms): Walked<T> {
  const take: T[] = [];
  let items = 0;
  let cost = 0;
  let dueMs = Infinity;
  let full: 'items' | 'cost' | 'time' | undefined;
  for (const ticket of waiting) {
    const after = cost + ticket.cost;
    // The head is the caller's choice.
    if (pace !== undefined && take.length > 0 && isLate(ticket, pace, nowMs)) continue;
    const withDueMs = Math.min(dueMs, dueOf(ticket, pace, nowMs));
    if (take.length > 0) {
      full = fullFor(limits, items + ticket.items, after) ?? tooLong(pace, after, withDueMs - nowMs);
      if (full !== undefined) break;
    }
    dueMs = withDueMs;
    take.push(ticket);
    items += ticket.items;
    cost += ticket.cost;
    full = reached(limits, items, cost);
    if (full !== undefined) break;
  }
  return { take, items, cost, dueMs, full };
}

/**
 * Until when the batch can wait for one more like those in it and still be in time. Where nothing is known of run times, it does not wait at all
 * if a deadline comes within the delay.
 */
function lastMoment<T>(
  { take, cost, dueMs }: Walked<T>,
  pace: Pace | undefined,
  { nowMs, delayedMs }: { nowMs: number; delayedMs: number },
): number {
  if (pace === undefined) return dueMs > delayedMs ? Infinity : nowMs;
  return dueMs - planned(pace, cost + cost / take.length);
}

/** So many sustained runs may wait, with many lanes, beside the one in the making: with 1, eight simulated lanes gave up tickets that others would have served. */
const MOST_BESIDE = 2;

/** The longest runs that lanes which start one after the other can keep up where each request has `limitMs`: longer ones come too late. */
export function sustainedMs(limitMs: number, lanes: number): number {
  return limitMs / (1 + 1 / lanes);
}

/**
 * Whether there is overload: more waits than this run and what other lanes can start in time beside it, and the first tickets allow only a shorter run than
 * the lanes could keep up with deadlines like the head's. Somebody will be late then: it is to be the first, not the many behind.
 */
function isCrowded<T extends BatchTicket>(
  { take, cost, full }: Walked<T>,
  { limits, pace, backlog }: { limits: BatchLimits; pace: Pace; backlog: Backlog<T> },
): boolean {
  const head = take[0];
  const { a, b } = pace.fit;
  if (full !== 'time' || head === undefined || a === 0) return false;
  const runMs = sustainedMs(head.deadlineMs - head.enqueuedMs, backlog.lanes);
  const mostCost = Math.min(limits.maxCost, pace.mostCost, (limits.maxItems * head.cost) / head.items);
  const sustained = Math.min(mostCost, (runMs / pace.margin - b) / a);
  const others = sustained * Math.min(MOST_BESIDE, (backlog.lanes - 1) / 2);
  return cost < sustained && backlog.cost > cost + others;
}

/** Most tickets to look at, and so many full batches: with a long line, a batch must not take longer to choose than to run. */
const MOST_NEWEST = 1024;
const NEWEST_BATCHES = 2;

/**
 * The largest batch of the newest tickets: those with the most time left, as many as their run is in time for; in order of arrival. Only tickets of the head's
 * priority are passed by it, and only for others of it.
 */
function withMostTime<T extends BatchTicket>(
  newest: Iterable<T>,
  { limits, pace, nowMs }: { limits: BatchLimits; pace: Pace; nowMs: number },
): T[] {
  const most = Math.min(MOST_NEWEST, NEWEST_BATCHES * limits.maxItems);
  const all: T[] = [];
  for (const ticket of newest) {
    all.push(ticket);
    if (all.length >= most) break;
  }
  let items = 0;
  let cost = 0;
  let earliestMs = Infinity;
  for (const ticket of all.toSorted((one, other) => other.deadlineMs - one.deadlineMs)) {
    items += ticket.items;
    cost += ticket.cost;
    if (fullFor(limits, items, cost) ?? tooLong(pace, cost, ticket.deadlineMs - nowMs)) break;
    earliestMs = ticket.deadlineMs;
  }
  return all.filter(({ deadlineMs }) => deadlineMs >= earliestMs).reverse();
}

/** Whether a run of this cost takes too long, with `leftMs` to the tightest deadline. */
function tooLong(pace: Pace | undefined, cost: number, leftMs: number): 'time' | undefined {
  if (pace === undefined) return undefined;
  return cost > pace.mostCost || planned(pace, cost) > leftMs + ROUNDING_MS ? 'time' : undefined;
}

function planned({ fit, margin }: Pace, cost: number): number {
  return margin * timeOf(fit, cost);
}

/** When a run with this ticket has to end; Infinity where nothing helps it any more. */
function dueOf({ cost, deadlineMs }: BatchTicket, pace: Pace | undefined, nowMs: number): number {
  return pace !== undefined && nowMs + planned(pace, cost) > deadlineMs + ROUNDING_MS ? Infinity : deadlineMs;
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
