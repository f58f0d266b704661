import { formBatch, fullFor, isLate, type Batch, type Company, type Pace } from './batcher.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { CutReason } from './ticket.ts';

/** What a free lane finds of a model: a batch, nothing before a time, or tickets at its head that no run can serve in time any more. */
type Found<Payload, Result> =
  | Batch<QueuedTicket<Payload, Result>>
  | { readonly waitUntilMs: number }
  | { readonly late: readonly QueuedTicket<Payload, Result>[] };

/** The next batch of a model on a lane: those that rest there, and newcomers as far as the limits leave room. `lanes`: how many may run the model;
 * `isAlone`: whether no other request is there. */
export function nextBatch<P, R>(
  model: QueuedModel<P, R>,
  {
    head,
    resting,
    nowMs,
    lanes,
    isAlone,
  }: {
    head: QueuedTicket<P, R> | undefined;
    resting: readonly QueuedTicket<P, R>[];
    nowMs: number;
    lanes: number;
    isAlone: (ticket: QueuedTicket<P, R>) => boolean;
  },
): Found<P, R> {
  if (resting.length === 0) {
    if (head === undefined) return { waitUntilMs: Infinity };
    const { shapeKey } = head;
    // While nothing is known of run times, a run of one ticket tells more than any guess.
    const limits = model.knowsRuns ? model.limits : { ...model.limits, maxItems: 1, maxDelayMs: 0 };
    const paceOf = pace(model, shapeKey);
    const waiting = { [Symbol.iterator]: () => model.queue.alike(head) };
    // Alone, it is late by its own time only, and running it costs nobody anything: it has its try.
    if (paceOf !== undefined && isLate(head, paceOf, nowMs) && !isAlone(head))
      return { late: lateOnes(waiting, paceOf, nowMs) };
    return formBatch(waiting, limits, nowMs, {
      company: company(model, shapeKey, nowMs),
      pace: paceOf,
      backlog: {
        cost: model.queue.costOf(head),
        lanes,
        newest: { [Symbol.iterator]: () => model.queue.newest(head) },
      },
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

/** The first tickets of a line, as far as they are late. */
function lateOnes<P, R>(waiting: Iterable<QueuedTicket<P, R>>, pace: Pace, nowMs: number): QueuedTicket<P, R>[] {
  const late: QueuedTicket<P, R>[] = [];
  for (const ticket of waiting) {
    if (!isLate(ticket, pace, nowMs)) break;
    late.push(ticket);
  }
  return late;
}

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
  if (fit === undefined) return undefined;
  return { fit, margin: model.estimator.margin(shapeKey), mostCost: model.costOfRun(shapeKey) };
}
