import type { Batch } from './batcher.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { Lane } from './ticket.ts';

/** A batch on its lane. */
export interface Run<Payload, Result> {
  readonly model: QueuedModel<Payload, Result>;
  readonly batch: Batch<QueuedTicket<Payload, Result>>;
  /** The key under which the estimator books its time. */
  readonly fitKey: string;
  readonly fitCost: number;
  readonly startedMs: number;
  readonly predictedMs: number;
}

/** A lane whose run failed as a whole gets no work of the model for this long, and twice as long each time, while other lanes can do it. */
const ASIDE_MS = 1000;
const MOST_ASIDE_MS = 60_000;

/** A lane as the dispatcher sees it, with the tickets that rest between two of its runs. */
export class LaneSlot<Payload, Result> {
  readonly id: number;
  readonly lane: Lane<Payload, Result>;
  run: Run<Payload, Result> | undefined;
  readonly #resting = new Map<QueuedModel<Payload, Result>, QueuedTicket<Payload, Result>[]>();
  /** Models of which the lane still holds the state of tickets that have left. */
  readonly #stale = new Set<QueuedModel<Payload, Result>>();

  /** Models of which the last run here failed as a whole. */
  readonly #aside = new Map<QueuedModel<Payload, Result>, { readonly failures: number; readonly untilMs: number }>();

  constructor(lane: Lane<Payload, Result>) {
    this.id = lane.id;
    this.lane = lane;
  }

  /** Tickets that go on in the lane's next run of the model, oldest first. */
  resting(model: QueuedModel<Payload, Result>): readonly QueuedTicket<Payload, Result>[] {
    return this.#resting.get(model) ?? [];
  }

  /** All that rest here, of every model. */
  allResting(): QueuedTicket<Payload, Result>[] {
    return [...this.#resting.values()].flat();
  }

  /** A run has ended with these to go on; `left`: it held others that are not to. */
  rest(
    model: QueuedModel<Payload, Result>,
    tickets: readonly QueuedTicket<Payload, Result>[],
    { left }: { left: boolean },
  ): void {
    if (tickets.length > 0) this.#resting.set(model, [...tickets]);
    if (left) this.#stale.add(model);
  }

  /** A run of the model begins. It names all that rest, so that the lane releases the state of the others. */
  begin(model: QueuedModel<Payload, Result>): void {
    this.#resting.delete(model);
    this.#stale.delete(model);
  }

  /** A run of the model has ended. A lane whose runs fail at once is soon free again, and would otherwise get all the work. */
  ended(model: QueuedModel<Payload, Result>, isWell: boolean, nowMs: number): void {
    if (isWell) {
      if (this.#aside.size > 0) this.#aside.delete(model);
      return;
    }
    const failures = (this.#aside.get(model)?.failures ?? 0) + 1;
    this.#aside.set(model, { failures, untilMs: nowMs + Math.min(MOST_ASIDE_MS, ASIDE_MS * 2 ** (failures - 1)) });
  }

  /** Whether work of the model is better left to other lanes. */
  isAside(model: QueuedModel<Payload, Result>, nowMs: number): boolean {
    return this.#aside.size > 0 && nowMs < (this.#aside.get(model)?.untilMs ?? 0);
  }

  /** Takes out a ticket that leaves; false where it does not rest here. */
  remove(ticket: QueuedTicket<Payload, Result>): boolean {
    const tickets = this.#resting.get(ticket.model);
    const index = tickets?.indexOf(ticket) ?? -1;
    if (tickets === undefined || index < 0) return false;
    tickets.splice(index, 1);
    if (tickets.length === 0) this.#resting.delete(ticket.model);
    this.#stale.add(ticket.model);
    return true;
  }

  /** A model of which no ticket is left here, and whose lane must be told. */
  get stale(): QueuedModel<Payload, Result> | undefined {
    for (const model of this.#stale) if (!this.#resting.has(model)) return model;
    return undefined;
  }
}
