import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { Run } from './run.ts';
import type { Lane } from './ticket.ts';

/** A lane whose run failed as a whole gets no work of the model for this long, and twice as long each time, while other lanes can do it. */
const ASIDE_MS = 1000;
const MOST_ASIDE_MS = 60_000;

/** A lane as the dispatcher sees it, with the tickets that rest between two of its runs. */
export class LaneSlot<Payload, Result> {
  readonly id: number;
  readonly lane: Lane<Payload, Result>;
  run: Run<Payload, Result> | undefined;
  /** Sent while `run` still runs, so that the lane goes on without waiting for the main thread. */
  ahead: Run<Payload, Result> | undefined;
  readonly #resting = new Map<QueuedModel<Payload, Result>, QueuedTicket<Payload, Result>[]>();
  /** Models of which the lane still holds the state of tickets that have left. */
  readonly #stale = new Set<QueuedModel<Payload, Result>>();

  /** Models of which the last run here failed as a whole. */
  readonly #aside = new Map<QueuedModel<Payload, Result>, { readonly failures: number; readonly untilMs: number }>();

  constructor(lane: Lane<Payload, Result>) {
    this.id = lane.id;
    this.lane = lane;
  }

  /** Tickets that go on in the lane's next run of their model, oldest first; at least one of each model named. */
  restingByModel(): ReadonlyMap<QueuedModel<Payload, Result>, readonly QueuedTicket<Payload, Result>[]> {
    return this.#resting;
  }

  /** All that rest here, of every model. */
  allResting(): QueuedTicket<Payload, Result>[] {
    return [...this.#resting.values()].flat();
  }

  /** Whether a batch may be sent behind the one that runs. What rests here is to be named by the next run. */
  get takesAhead(): boolean {
    return (
      this.lane.takesAhead === true &&
      this.run !== undefined &&
      this.ahead === undefined &&
      !this.run.model.stepping &&
      this.#resting.size === 0 &&
      this.#stale.size === 0
    );
  }

  /** When it is predicted to be done with all that it was sent; -Infinity: it is free. */
  get freeMs(): number {
    if (this.run === undefined) return -Infinity;
    return this.run.startedMs + this.run.predictedMs + (this.ahead?.predictedMs ?? 0);
  }

  /** A run is over. Gives the one that was sent ahead and begins now, if there is any. */
  over(run: Run<Payload, Result>): Run<Payload, Result> | undefined {
    if (this.ahead === run) this.ahead = undefined;
    if (this.run !== run) return undefined;
    this.run = this.ahead;
    this.ahead = undefined;
    return this.run;
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
