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

/** The models that have work for a free lane; `slots` are all lanes. */
export function modelsToServe<Payload, Result>(
  slot: LaneSlot<Payload, Result>,
  slots: ReadonlyMap<number, LaneSlot<Payload, Result>>,
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
    candidates.push({ model, head: head?.ticket, resting, level, share: model.share, sequence });
  }
  return candidates;
}

function isLeftToOthers<Payload, Result>(
  slot: LaneSlot<Payload, Result>,
  slots: ReadonlyMap<number, LaneSlot<Payload, Result>>,
  model: QueuedModel<Payload, Result>,
  nowMs: number,
): boolean {
  if (!slot.isAside(model, nowMs)) return false;
  for (const other of slots.values())
    if (other !== slot && model.runsOn(other.id) && !other.isAside(model, nowMs)) return true;
  return false;
}
