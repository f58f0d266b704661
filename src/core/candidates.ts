import { timeOf } from './estimator.ts';
import type { LaneSlot } from './lane-slot.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { Candidate } from './scheduler.ts';

/** A model that a free lane could serve now: what rests there, and what waits. */
export interface ModelToServe<Payload, Result> extends Candidate {
  readonly model: QueuedModel<Payload, Result>;
  /** Of those that wait for this lane. */
  readonly head: QueuedTicket<Payload, Result> | undefined;
  readonly resting: readonly QueuedTicket<Payload, Result>[];
}

type Slots<Payload, Result> = ReadonlyMap<number, LaneSlot<Payload, Result>>;

/** The models that have work for a free lane; `slots` are all lanes. */
export function modelsToServe<Payload, Result>(
  slot: LaneSlot<Payload, Result>,
  slots: Slots<Payload, Result>,
  models: ReadonlyMap<string, QueuedModel<Payload, Result>>,
  nowMs: number,
): ModelToServe<Payload, Result>[] {
  const candidates: ModelToServe<Payload, Result>[] = [];
  for (const model of models.values()) {
    const resting = slot.resting(model);
    const waits = model.waitingTickets > 0 && model.runsOn(slot.id) && !isLeftToOthers(slot, slots, model, nowMs);
    if (!waits && resting.length === 0) continue;
    const head = waits ? model.queue.head(nowMs) : undefined;
    const [oldest] = resting;
    const sequence = oldest?.sequence ?? head?.ticket.sequence;
    if (sequence === undefined) continue;
    const level = Math.min(head?.level ?? Infinity, ...resting.map(({ priority }) => priority));
    const common = { model, head: head?.ticket, resting, level, share: model.share, sequence };
    candidates.push({ ...common, ...hurry(model, head?.ticket, model.lanesOf(slots.size)) });
  }
  return candidates;
}

function isLeftToOthers<Payload, Result>(
  slot: LaneSlot<Payload, Result>,
  slots: Slots<Payload, Result>,
  model: QueuedModel<Payload, Result>,
  nowMs: number,
): boolean {
  if (!slot.isAside(model, nowMs)) return false;
  for (const other of slots.values())
    if (other !== slot && model.runsOn(other.id) && !other.isAside(model, nowMs)) return true;
  return false;
}

/** A model that has waited so long is due, however far its deadline is. */
const PATIENCE_MS = 1000;

/** How urgent the next run of a model is. The steps of a stepping model follow one another without end: it goes by its share alone. */
function hurry<Payload, Result>(
  model: QueuedModel<Payload, Result>,
  head: QueuedTicket<Payload, Result> | undefined,
  lanes: number,
): Pick<Candidate, 'dueMs' | 'runMs' | 'isBacklogged' | 'isFlooded'> {
  const { estimator, limits, queue, isFlooded } = model;
  if (head === undefined || model.stepping) return { dueMs: -Infinity, runMs: 0, isBacklogged: true, isFlooded };
  const mostCost = Math.min(model.costOfRun(head.shapeKey), limits.maxItems * estimator.costPerItem);
  const fit = estimator.wallFit(head.shapeKey);
  const cost = Math.max(head.cost, Math.min(mostCost, queue.cost));
  const runMs = fit === undefined ? 0 : estimator.margin(head.shapeKey) * timeOf(fit, cost);
  // A run of all that waits: the fuller it is, the earlier it is due.
  const dueMs = Math.min(head.deadlineMs - runMs, head.enqueuedMs + PATIENCE_MS);
  return { dueMs, runMs, isBacklogged: queue.cost > lanes * mostCost, isFlooded };
}

/** When the first busy lane of a model is predicted to be free. */
export function firstFreeMs<Payload, Result>(
  model: QueuedModel<Payload, Result>,
  slots: Slots<Payload, Result>,
): number {
  let freeMs = Infinity;
  for (const slot of slots.values())
    if (slot.run !== undefined && model.runsOn(slot.id)) freeMs = Math.min(freeMs, slot.freeMs);
  return freeMs;
}
