import { timeOf } from './estimator.ts';
import type { LaneSlot } from './lane-slot.ts';
import type { Parties } from './parties.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { Candidate } from './scheduler.ts';

/** A model that a free lane could serve now: what rests there, and what waits. */
export interface ModelToServe<Payload, Result> extends Candidate {
  readonly model: QueuedModel<Payload, Result>;
  /** Of those that wait for this lane. */
  readonly head: QueuedTicket<Payload, Result> | undefined;
  readonly resting: readonly QueuedTicket<Payload, Result>[];
}

const NONE: readonly never[] = [];

type Slots<Payload, Result> = ReadonlyMap<number, LaneSlot<Payload, Result>>;

/** What a decision is made from. */
export interface Scene {
  readonly parties: Parties;
  /** How many there are. */
  readonly lanes: number;
  readonly nowMs: number;
}

/** The models of which tickets wait, as a lane that runs all of them could serve them. */
export function waitingModels<Payload, Result>(
  models: ReadonlyMap<string, QueuedModel<Payload, Result>>,
  { parties, lanes, nowMs }: Scene,
): ModelToServe<Payload, Result>[] {
  const { turn } = parties;
  const waiting: ModelToServe<Payload, Result>[] = [];
  for (const model of models.values()) {
    const head = model.queue.head(nowMs, turn);
    if (head === undefined) continue;
    const { ticket, level } = head;
    const { dueMs, runMs, isBacklogged, isFlooded } = hurry(model, ticket, model.lanesOf(lanes));
    const { share } = model;
    const { sequence, party } = ticket;
    const partyShare = parties.shareOf(party);
    // In one piece: spreading two objects took half of the time of a decision between twenty models.
    // prettier-ignore
    waiting.push({ model, head: ticket, resting: NONE, level, share, partyShare, sequence, dueMs, runMs, isBacklogged, isFlooded });
  }
  return waiting;
}

/** The models that have work for a free lane, of those of which tickets wait and those that rest there; `slots` are all lanes. */
export function modelsToServe<Payload, Result>(
  slot: LaneSlot<Payload, Result>,
  slots: Slots<Payload, Result>,
  waiting: readonly ModelToServe<Payload, Result>[],
  { parties, nowMs }: Scene,
): ModelToServe<Payload, Result>[] {
  const candidates = waiting.filter(({ model }) => model.runsOn(slot.id) && !isLeftToOthers(slot, slots, model, nowMs));
  for (const [model, resting] of slot.restingByModel()) {
    const index = candidates.findIndex((candidate) => candidate.model === model);
    const waits = candidates[index];
    const level = Math.min(waits?.level ?? Infinity, ...resting.map(({ priority }) => priority));
    const sequence = resting[0]?.sequence ?? Infinity;
    const partyShare = parties.shareOf((resting[0] ?? waits?.head)?.party ?? 'clients');
    const common = { model, head: waits?.head, resting, level, share: model.share, partyShare, sequence };
    candidates.splice(index < 0 ? candidates.length : index, 1, { ...common, ...hurry(model, waits?.head, 1) });
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
