import { ServerError, toServerError } from '../errors.ts';
import { formBatch, type Batch, type Company } from './batcher.ts';
import { Alarm } from './clock.ts';
import type { CoreEvents } from './events.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import { charge, chooseNext, correct, forgive, type Candidate } from './scheduler.ts';
import type { Clock, Lane, RunReport } from './ticket.ts';

export interface DispatcherOptions<Payload, Result> {
  readonly clock: Clock;
  readonly events: CoreEvents;
  /** Calls back later in this turn of the event loop, so that what arrives together runs together. */
  readonly defer: (callback: () => void) => void;
  readonly models: ReadonlyMap<string, QueuedModel<Payload, Result>>;
  /** Settles the tickets whose deadline has passed. */
  readonly expire: () => void;
  /** The ticket's run has ended: its deadline means nothing any more. */
  readonly forget: (ticket: QueuedTicket<Payload, Result>) => void;
  /** The permits of a run that has ended. */
  readonly giveBack: (model: QueuedModel<Payload, Result>, items: number) => void;
}

interface Run<Payload, Result> {
  readonly model: QueuedModel<Payload, Result>;
  readonly batch: Batch<QueuedTicket<Payload, Result>>;
  readonly shapeKey: string;
  readonly startedMs: number;
  readonly predictedMs: number;
}

interface LaneSlot<Payload, Result> {
  readonly id: number;
  readonly lane: Lane<Payload, Result>;
  run: Run<Payload, Result> | undefined;
}

/**
 * When many requests arrive in one turn, decoding them takes longer than a short run. A free lane that waited for the last of them would
 * find all clients waiting for one batch, and then have nothing to do until all have their replies and ask again.
 */
const LONGEST_TURN_MS = 0.5;

/**
 * Each settled ticket is a reply to write, about 0.1 ms. Those of a large batch, written in one go, would hold up health probes and the
 * requests that make the next batch for as long.
 */
const SETTLE_AT_ONCE = 8;

/** How a run ended for one of its tickets. */
interface Ending<Payload, Result> {
  readonly laneId: number;
  readonly run: Run<Payload, Result>;
  readonly ending: RunReport<Result> | ServerError;
  readonly index: number;
}

/** Brings waiting tickets and free lanes together: a batch is formed only when a lane is free. */
export class Dispatcher<Payload, Result> {
  readonly #options: DispatcherOptions<Payload, Result>;
  readonly #slots = new Map<number, LaneSlot<Payload, Result>>();
  /** Also those of lanes that were removed meanwhile. */
  readonly #runs = new Set<Run<Payload, Result>>();
  /** Rings when a batch has waited for company long enough. */
  readonly #wake: Alarm;
  #due = false;
  #dueSinceMs = 0;

  constructor(options: DispatcherOptions<Payload, Result>) {
    this.#options = options;
    this.#wake = new Alarm(options.clock, () => this.#dispatch());
  }

  get slots(): ReadonlyMap<number, Pick<LaneSlot<Payload, Result>, 'id' | 'run'>> {
    return this.#slots;
  }

  /** Tickets of the runs that have not ended. */
  running(): QueuedTicket<Payload, Result>[] {
    return [...this.#runs].flatMap(({ batch }) => batch.take);
  }

  addLane(lane: Lane<Payload, Result>): void {
    this.#slots.set(lane.id, { id: lane.id, lane, run: undefined });
    this.soon();
  }

  removeLane(laneId: number): void {
    this.#slots.delete(laneId);
  }

  /** Looks for work for the free lanes before this turn of the event loop ends, or once it has lasted too long. */
  soon(): void {
    if (!this.#hasFreeLane()) return;
    const nowMs = this.#options.clock.now();
    if (this.#due) {
      if (nowMs - this.#dueSinceMs >= LONGEST_TURN_MS) this.#dispatch();
      return;
    }
    this.#due = true;
    this.#dueSinceMs = nowMs;
    this.#options.defer(() => {
      this.#due = false;
      this.#dispatch();
    });
  }

  #hasFreeLane(): boolean {
    for (const { run } of this.#slots.values()) if (run === undefined) return true;
    return false;
  }

  #dispatch(): void {
    this.#options.expire();
    const nowMs = this.#options.clock.now();
    let wakeMs = Infinity;
    for (const slot of this.#slots.values()) {
      if (slot.run === undefined) wakeMs = Math.min(wakeMs, this.#serve(slot, nowMs));
    }
    this.#wake.set(wakeMs);
  }

  /** Starts a run on a free lane if there is one to start; else says when to look again. */
  #serve(slot: LaneSlot<Payload, Result>, nowMs: number): number {
    let wakeMs = Infinity;
    let candidates = this.#candidates(slot.id, nowMs);
    forgive(candidates);
    for (;;) {
      const next = chooseNext(candidates);
      if (next === undefined) return wakeMs;
      const { model, head } = next;
      const batch = formBatch(model.queue.alike(head), model.limits, nowMs, company(model, head.shapeKey, nowMs));
      if ('take' in batch) {
        this.#start(slot, model, batch);
        return Infinity;
      }
      wakeMs = Math.min(wakeMs, batch.waitUntilMs);
      candidates = candidates.filter((candidate) => candidate !== next);
    }
  }

  #candidates(laneId: number, nowMs: number) {
    const candidates: (Candidate & {
      model: QueuedModel<Payload, Result>;
      head: QueuedTicket<Payload, Result>;
    })[] = [];
    for (const model of this.#options.models.values()) {
      if (model.waitingTickets === 0 || !model.runsOn(laneId)) continue;
      const head = model.queue.head(nowMs);
      if (head === undefined) continue;
      const { ticket, level } = head;
      candidates.push({ model, head: ticket, level, share: model.share, sequence: ticket.sequence });
    }
    return candidates;
  }

  #start(
    slot: LaneSlot<Payload, Result>,
    model: QueuedModel<Payload, Result>,
    batch: Batch<QueuedTicket<Payload, Result>>,
  ): void {
    const startedMs = this.#options.clock.now();
    const shapeKey = batch.take[0]?.shapeKey ?? '';
    const fit = model.estimator.wallFit(shapeKey);
    const predictedMs = fit === undefined ? 0 : fit.a * batch.cost + fit.b;
    const payloads: Payload[] = [];
    for (const ticket of batch.take) {
      model.queue.take(ticket, startedMs);
      payloads.push(ticket.start() as Payload);
    }
    model.runningItems += batch.items;
    charge(model.share, predictedMs);
    const run = { model, batch, shapeKey, startedMs, predictedMs };
    slot.run = run;
    this.#runs.add(run);
    void this.#follow(slot, run, payloads);
    this.#options.events.started?.({
      modelKey: model.key,
      lane: slot.id,
      items: batch.items,
      tickets: batch.take.length,
      cost: batch.cost,
      cut: batch.cut,
      waitsMs: batch.take.map((ticket) => startedMs - ticket.enqueuedMs),
    });
  }

  async #follow(
    slot: LaneSlot<Payload, Result>,
    run: Run<Payload, Result>,
    payloads: readonly Payload[],
  ): Promise<void> {
    let report: RunReport<Result> | undefined;
    let error: ServerError | undefined;
    try {
      report = await slot.lane.run(run.model.key, payloads);
    } catch (reason) {
      error = toServerError(reason);
    }
    const wallMs = this.#options.clock.now() - run.startedMs;
    // A lost lane takes no further batch; whoever replaces it adds the new one.
    if (error?.code === 'LANE_LOST' && this.#slots.get(slot.id) === slot) this.#slots.delete(slot.id);
    slot.run = undefined;
    this.#runs.delete(run);
    this.#learn(run, report, wallMs);
    // Their runs have ended in time: no deadline may take them now.
    for (const ticket of run.batch.take) if (ticket.state !== 'settled') this.#options.forget(ticket);
    // The lane first: it computes the next batch while this one's replies are written.
    this.#dispatch();
    await this.#settle(slot.id, run, report ?? error ?? new ServerError('INTERNAL'));
    const { model, batch } = run;
    model.runningItems -= batch.items;
    this.#options.giveBack(model, batch.items);
    this.#options.events.finished?.({
      modelKey: model.key,
      lane: slot.id,
      items: batch.items,
      tickets: batch.take.length,
      wallMs,
      ...(report === undefined ? {} : { report }),
      ...(error === undefined ? {} : { error }),
    });
  }

  #learn(run: Run<Payload, Result>, report: RunReport<Result> | undefined, wallMs: number): void {
    const { model, batch, shapeKey, predictedMs } = run;
    correct(model.share, predictedMs, wallMs);
    if (report === undefined) return;
    model.estimator.record(shapeKey, { items: batch.items, cost: batch.cost, runMs: report.runMs, wallMs });
    if (report.maxItems !== undefined) model.lowerMaxItems(report.maxItems);
  }

  /** Settles the tickets of a run in slices, with a turn of the event loop between them. */
  async #settle(laneId: number, run: Run<Payload, Result>, ending: RunReport<Result> | ServerError): Promise<void> {
    for (const [index, ticket] of run.batch.take.entries()) {
      if (index > 0 && index % SETTLE_AT_ONCE === 0)
        await new Promise<void>((resolve) => {
          this.#options.defer(resolve);
        });
      // Cancelled or expired meanwhile: the late result is dropped.
      if (ticket.state !== 'settled') this.#end(ticket, { laneId, run, ending, index });
    }
  }

  #end(ticket: QueuedTicket<Payload, Result>, { laneId, run, ending, index }: Ending<Payload, Result>): void {
    if (ending instanceof ServerError) {
      ticket.fail(ending);
      return;
    }
    const outcome = ending.outcomes[index];
    if (outcome === undefined) {
      const cause = new Error(`the lane gave ${ending.outcomes.length} outcomes for ${run.batch.take.length} tickets`);
      ticket.fail(new ServerError('INTERNAL', undefined, { cause }));
    } else if (outcome.ok) {
      const { stackMs, runMs, splitMs } = ending;
      const queueMs = run.startedMs - ticket.enqueuedMs;
      ticket.succeed({
        result: outcome.result,
        timing: { queueMs, stackMs, runMs, splitMs, batchItems: run.batch.items, lane: laneId },
      });
    } else {
      ticket.fail(outcome.error);
    }
  }
}

function company<P, R>(model: QueuedModel<P, R>, shapeKey: string, nowMs: number): Company | undefined {
  if (model.limits.maxDelayMs <= 0) return undefined;
  const gapMs = model.estimator.gapMs(shapeKey, nowMs);
  const fit = model.estimator.fit(shapeKey);
  return gapMs === undefined || fit === undefined ? undefined : { gapMs, fixedMs: fit.b };
}
