import { ServerError } from '../errors.ts';
import { runAhead, someIsFull } from './ahead.ts';
import { firstFreeMs, modelsToServe, waitingModels, type ModelToServe } from './candidates.ts';
import { Alarm } from './clock.ts';
import type { CoreEvents } from './events.ts';
import { LaneSlot } from './lane-slot.ts';
import { nextBatch } from './next-batch.ts';
import type { Parties } from './parties.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import { finishedEvent, planRun, runOn, startedEvent, type Run } from './run.ts';
import { charge, chooseNext, correct, forgive } from './scheduler.ts';
import { settle } from './settle.ts';
import type { Clock, Lane, RunReport, TicketOfRun } from './ticket.ts';

export interface DispatcherOptions<Payload, Result> {
  readonly clock: Clock;
  readonly events: CoreEvents;
  /** Calls back later in this turn of the event loop, so that what arrives together runs together. */
  readonly defer: (callback: () => void) => void;
  readonly models: ReadonlyMap<string, QueuedModel<Payload, Result>>;
  readonly parties: Parties;
  /** Settles the tickets whose deadline has passed. */
  readonly expire: () => void;
  /** Settles waiting tickets of one model and priority that no run can serve in time any more. */
  readonly giveUp: (tickets: readonly QueuedTicket<Payload, Result>[]) => void;
  /** Whether no other request is in the core. */
  readonly isAlone: (ticket: QueuedTicket<Payload, Result>) => boolean;
  /** The ticket's run has ended: its deadline no longer counts. */
  readonly forget: (ticket: QueuedTicket<Payload, Result>) => void;
  /** Gives back the permits of a ticket that is on no lane any more. */
  readonly giveBack: (ticket: QueuedTicket<Payload, Result>) => void;
  /** One run more, or less, of which the tickets are being settled. */
  readonly settling: (model: QueuedModel<Payload, Result>, by: 1 | -1) => void;
}

/**
 * When many requests arrive in one turn, decoding them takes longer than a short run. A free lane that waited for the last of them would
 * find all clients waiting for one batch, and then have nothing to do until all have their replies and ask again.
 */
const LONGEST_TURN_MS = 0.5;

/** Brings waiting tickets and free lanes together: a batch is formed only when a lane is free. */
export class Dispatcher<Payload, Result> {
  readonly #options: DispatcherOptions<Payload, Result>;
  readonly #slots = new Map<number, LaneSlot<Payload, Result>>();
  /** Also those of lanes that were removed meanwhile. */
  readonly #runs = new Set<Run<Payload, Result>>();
  /** Rings when a batch has waited for company long enough. */
  readonly #wake: Alarm;
  /** For all lanes, until something has started or left. */
  #waiting: readonly ModelToServe<Payload, Result>[] | undefined;
  #runCount = 0;
  #due = false;
  #dueSinceMs = 0;

  constructor(options: DispatcherOptions<Payload, Result>) {
    this.#options = options;
    this.#wake = new Alarm(options.clock, () => this.#dispatch());
  }

  get slots(): ReadonlyMap<number, Pick<LaneSlot<Payload, Result>, 'id' | 'run' | 'ahead'>> {
    return this.#slots;
  }

  /** Tickets that are on a lane: in a run, or resting between two. */
  running(): QueuedTicket<Payload, Result>[] {
    return [
      ...[...this.#runs].flatMap(({ batch }) => batch.take),
      ...[...this.#slots.values()].flatMap((slot) => slot.allResting()),
    ];
  }

  addLane(lane: Lane<Payload, Result>): void {
    this.removeLane(lane.id);
    this.#slots.set(lane.id, new LaneSlot(lane));
    this.soon();
  }

  /** What rests on the lane is lost with it. */
  removeLane(laneId: number): void {
    const slot = this.#slots.get(laneId);
    this.#slots.delete(laneId);
    // Other lanes may have left work to it.
    this.soon();
    for (const ticket of slot?.allResting() ?? []) {
      slot?.remove(ticket);
      this.#lose(ticket);
      this.#release(ticket);
    }
  }

  /** A ticket's lane was removed, and the ticket's state with it. */
  #lose(ticket: QueuedTicket<Payload, Result>): void {
    this.#options.forget(ticket);
    ticket.fail(new ServerError('LANE_LOST'));
  }

  /** A ticket that was on a lane has settled: gives its permits back if it rests, for otherwise its run does. */
  leave(ticket: QueuedTicket<Payload, Result>): void {
    for (const slot of this.#slots.values())
      if (slot.remove(ticket)) {
        this.#release(ticket);
        this.soon();
      }
  }

  /**
   * Looks for work for the lanes before this turn of the event loop ends, or once it has lasted too long. `hasFilled`: there is a full batch now that was not
   * full before; otherwise busy lanes are no reason to look (they are looked at when a run ends, too).
   */
  soon(hasFilled = false): void {
    if (!this.#hasRoom(hasFilled)) return;
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

  /** Whether a lane is free, or could be sent a full batch. */
  #hasRoom(hasFilled: boolean): boolean {
    for (const slot of this.#slots.values()) if (slot.run === undefined || (hasFilled && slot.takesAhead)) return true;
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
    this.#sendAhead(nowMs);
    this.#waiting = undefined;
  }

  #toServe(slot: LaneSlot<Payload, Result>, nowMs: number): ModelToServe<Payload, Result>[] {
    const { models, parties } = this.#options;
    const scene = { parties, lanes: this.#slots.size, nowMs };
    this.#waiting ??= waitingModels(models, scene);
    return modelsToServe(slot, this.#slots, this.#waiting, scene);
  }

  /** Sends full batches to busy lanes, first to the one that will be free first. */
  #sendAhead(nowMs: number): void {
    const { models, isAlone } = this.#options;
    if (!someIsFull(models.values())) return;
    const busy: { readonly slot: LaneSlot<Payload, Result>; readonly freeMs: number }[] = [];
    for (const slot of this.#slots.values())
      if (slot.takesAhead) busy.push({ slot, freeMs: Math.max(nowMs, slot.freeMs) });
    if (busy.length > 1) busy.sort((one, other) => one.freeMs - other.freeMs);
    for (const { slot, freeMs } of busy) {
      const next = chooseNext(this.#toServe(slot, nowMs), freeMs, ({ model }) => firstFreeMs(model, this.#slots));
      const run =
        next === undefined ? undefined : runAhead(next, { startMs: freeMs, lanes: this.#slots.size, isAlone });
      if (run !== undefined) this.#start(slot, run);
    }
  }

  /** Starts a run on a free lane if there is one to start; else says when to look again. */
  #serve(slot: LaneSlot<Payload, Result>, nowMs: number): number {
    const { isAlone } = this.#options;
    let wakeMs = Infinity;
    let candidates = this.#toServe(slot, nowMs);
    forgive(candidates);
    for (;;) {
      const next = chooseNext(candidates, nowMs, ({ model }) => firstFreeMs(model, this.#slots));
      if (next === undefined) break;
      const { model, head, resting } = next;
      const batch = nextBatch(model, { head, resting, nowMs, lanes: model.lanesOf(this.#slots.size), isAlone });
      if ('late' in batch) {
        this.#options.giveUp(batch.late);
        // Another may be at the head of the model now.
        this.#waiting = undefined;
        candidates = this.#toServe(slot, nowMs);
        continue;
      }
      if ('take' in batch) {
        this.#start(slot, planRun(model, batch, this.#options.clock.now()));
        return Infinity;
      }
      wakeMs = Math.min(wakeMs, batch.waitUntilMs);
      candidates = candidates.filter((candidate) => candidate !== next);
    }
    const { stale } = slot;
    if (stale !== undefined) this.#start(slot, planRun(stale, { take: [], items: 0, cost: 0, cut: 'empty' }, nowMs));
    return wakeMs;
  }

  /** Sends a run to its lane; where that runs another, it begins after it. */
  #start(slot: LaneSlot<Payload, Result>, run: Run<Payload, Result>): void {
    const { model, batch, jobsPart, predictedMs, startedMs } = run;
    const { parties } = this.#options;
    this.#runCount += 1;
    run.id = this.#runCount;
    this.#waiting = undefined;
    slot.begin(model);
    const tickets = batch.take.map((ticket) => {
      if (ticket.state !== 'waiting') return { id: ticket.sequence, payload: undefined };
      model.queue.take(ticket, startedMs);
      parties.leaves(ticket);
      parties.runs(ticket, 1);
      model.runningItems += ticket.items;
      model.runningCost += ticket.cost;
      return { id: ticket.sequence, payload: ticket.start(startedMs, run.id) };
    });
    charge(model.share, predictedMs);
    parties.charge(jobsPart, predictedMs);
    const isFree = slot.run === undefined;
    if (isFree) slot.run = run;
    else slot.ahead = run;
    this.#runs.add(run);
    void this.#follow(slot, run, tickets);
    if (isFree && batch.take.length > 0) this.#options.events.started?.(startedEvent(slot.id, run));
  }

  /** A lane is done with a run, and goes on with the one that was sent ahead, if there is any. */
  #over(slot: LaneSlot<Payload, Result>, run: Run<Payload, Result>): void {
    this.#runs.delete(run);
    const next = slot.over(run);
    if (next === undefined) return;
    next.startedMs = this.#options.clock.now();
    for (const ticket of next.newcomers) ticket.startedMs = next.startedMs;
    this.#options.events.started?.(startedEvent(slot.id, next));
  }

  async #follow(
    slot: LaneSlot<Payload, Result>,
    run: Run<Payload, Result>,
    tickets: readonly TicketOfRun<Payload>[],
  ): Promise<void> {
    const { model, batch } = run;
    const ending = await runOn(slot.lane, model.key, tickets);
    const error = ending instanceof ServerError ? ending : undefined;
    const report = ending instanceof ServerError ? undefined : ending;
    const wallMs = this.#options.clock.now() - run.startedMs;
    // A lost lane takes no further batch; whoever replaces it adds the new one.
    if (error?.code === 'LANE_LOST' && this.#slots.get(slot.id) === slot) this.removeLane(slot.id);
    slot.ended(model, report !== undefined, this.#options.clock.now());
    this.#over(slot, run);
    this.#learn(run, report, wallMs);
    const onward = this.#rest(slot, run, report);
    // Their runs have ended in time: no deadline counts now.
    for (const ticket of batch.take)
      if (ticket.state !== 'settled' && !onward.has(ticket)) this.#options.forget(ticket);
    // The lane first: it computes the next batch while this one's replies are written.
    this.#dispatch();
    // Before these tickets settle: their progress must come in order.
    for (const [ticket, progress] of onward) ticket.hear(progress);
    this.#options.settling(model, 1);
    for (const ticket of batch.take) if (!onward.has(ticket)) this.#release(ticket);
    const { clock, defer } = this.#options;
    await settle(run, { laneId: slot.id, ending, clock, goesOn: (ticket) => onward.has(ticket), defer });
    this.#options.settling(model, -1);
    if (batch.take.length > 0) this.#options.events.finished?.(finishedEvent(slot.id, run, { wallMs, ending }));
  }

  /** The tickets of a run that go on in the next one, with their progress; they rest on the lane until then. */
  #rest(
    slot: LaneSlot<Payload, Result>,
    { model, batch }: Run<Payload, Result>,
    report: RunReport<Result> | undefined,
  ): Map<QueuedTicket<Payload, Result>, unknown> {
    const onward = new Map<QueuedTicket<Payload, Result>, unknown>();
    if (report === undefined) {
      // The lane may still hold their state; an empty run that fails is not repeated.
      if (model.stepping && batch.take.length > 0) slot.rest(model, [], { left: true });
      return onward;
    }
    let left = false;
    for (const [index, ticket] of batch.take.entries()) {
      const outcome = report.outcomes[index];
      ticket.spend(report, batch.items);
      if (outcome === undefined || !('more' in outcome)) continue;
      if (ticket.state === 'settled') left = true;
      else onward.set(ticket, outcome.progress);
    }
    if (this.#slots.get(slot.id) === slot) slot.rest(model, [...onward.keys()], { left });
    else {
      for (const ticket of onward.keys()) this.#lose(ticket);
      onward.clear();
    }
    return onward;
  }

  /** A ticket is on no lane any more. */
  #release(ticket: QueuedTicket<Payload, Result>): void {
    const { model, items, cost } = ticket;
    model.runningItems -= items;
    this.#options.parties.runs(ticket, -1);
    // Sums of fractions drift.
    model.runningCost = model.runningItems === 0 ? 0 : model.runningCost - cost;
    this.#options.giveBack(ticket);
  }

  #learn(run: Run<Payload, Result>, report: RunReport<Result> | undefined, wallMs: number): void {
    const { model, batch, jobsPart, fitKey, fitCost, predictedMs } = run;
    correct(model.share, predictedMs, wallMs);
    this.#options.parties.correct(jobsPart, predictedMs, wallMs);
    if (report === undefined) return;
    model.estimator.record(fitKey, { items: batch.items, cost: fitCost, runMs: report.runMs, wallMs });
    if (report.maxItems !== undefined) model.lowerMaxItems(report.maxItems);
  }
}
