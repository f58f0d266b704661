import { ServerError } from '../errors.ts';
import { Admission, checkRequest, type AdmissionPort, type AdmissionRequest } from './admission.ts';
import { isFull } from './ahead.ts';
import { nextTurn } from './clock.ts';
import { Deadlines } from './deadlines.ts';
import { Dispatcher } from './dispatcher.ts';
import type { Fit } from './estimator.ts';
import type { CoreOptions, Depth } from './core-options.ts';
import type { CoreEvents } from './events.ts';
import { forecast, newcomerOf, type Asked, type Forecast } from './forecast.ts';
import { ModelState, type ModelOptions } from './model-state.ts';
import { Parties } from './parties.ts';
import { QueuedTicket, type Grant, type QueuedModel, type TicketHandle } from './queued-ticket.ts';
import { rejoin } from './scheduler.ts';
import { DEFAULT_PRIORITY, type AdmittedItem, type Clock, type Lane, type Party } from './ticket.ts';

/** Retry-After of a full queue before any run has ended: a guess. */
const UNKNOWN_WAIT_MS = 1000;
const DEFAULT_AGING_MS = 1000;
const LEFT = { cancelled: 'CANCELLED', expired: 'DEADLINE_EXCEEDED' } as const;

/**
 * Admits requests, keeps their tickets in order, and gives each free lane its next batch.
 *
 * A permit is taken by `admit` and given back exactly once: when its item settles while waiting, when its run ends (before the replies), or when
 * the admission is released or closed without having enqueued it.
 */
export class Core<Payload, Result> {
  readonly #clock: Clock;
  readonly #events: CoreEvents;
  readonly #agingMs: number;
  readonly #models = new Map<string, QueuedModel<Payload, Result>>();
  readonly #parties: Parties;
  readonly #deadlines: Deadlines<QueuedTicket<Payload, Result>>;
  readonly #dispatcher: Dispatcher<Payload, Result>;
  readonly #port: AdmissionPort<Payload, Result> = {
    enqueue: (grant, item, permits) => this.#enqueue(grant, item, permits),
    take: (grant) => this.#take(grant),
    giveBack: (grant, permits) => this.#giveBack(grant, permits),
  };
  readonly #onCancel = (ticket: QueuedTicket<Payload, Result>): void => this.#leave(ticket, 'cancelled');
  #sequence = 0;
  #queuePart = 1;
  #permits = 0;
  #settlingRuns = 0;
  #onIdle: (() => void)[] = [];
  #failure: ServerError | undefined;

  /** Throws a RangeError when `agingMs` is not above 0. */
  constructor(options: CoreOptions) {
    const { clock, events = {}, agingMs = DEFAULT_AGING_MS, defer = nextTurn } = options;
    if (!(agingMs > 0)) throw new RangeError(`agingMs must be above 0, not ${agingMs}`);
    this.#clock = clock;
    this.#events = events;
    this.#parties = new Parties(options.weights);
    this.#agingMs = agingMs;
    this.#deadlines = new Deadlines(clock, (ticket) => this.#leave(ticket, 'expired'));
    this.#dispatcher = new Dispatcher({
      clock,
      events,
      defer,
      models: this.#models,
      parties: this.#parties,
      expire: () => this.#deadlines.expire(),
      giveUp: (tickets) => this.#giveUp(tickets),
      isAlone: ({ grant }) => grant.permits === this.#permits,
      forget: (ticket) => this.#deadlines.forget(ticket),
      giveBack: ({ grant, permits }) => this.#giveBack(grant, permits),
      settling: (model, by) => {
        model.settlingRuns += by;
        this.#settlingRuns += by;
        this.#whenDone(model);
      },
    });
  }

  /** The lane is free, and takes the place of any other with its id. A lane that was lost is removed by the core itself. */
  addLane(lane: Lane<Payload, Result>): void {
    this.#dispatcher.addLane(lane);
  }

  /** The lane gets no more batches; what it runs settles when its run ends. */
  removeLane(laneId: number): void {
    this.#dispatcher.removeLane(laneId);
  }

  /** Throws an Error when the key is taken: each load of a model version has a key of its own. */
  addModel(key: string, options: ModelOptions): void {
    if (this.#models.has(key)) throw new Error(`model key ${key} is in use`);
    const model = new ModelState<QueuedTicket<Payload, Result>>(key, options, this.#agingMs);
    model.queuePart = this.#queuePart;
    this.#models.set(key, model);
  }

  /** Admits nothing more for the model; resolves when all that was admitted, in preparation included, has settled. */
  removeModel(key: string): Promise<void> {
    const model = this.#models.get(key);
    if (model === undefined) return Promise.resolve();
    model.removal ??= new Promise((resolve) => {
      model.onEmpty = resolve;
    });
    this.#whenEmpty(model);
    return model.removal;
  }

  /**
   * Takes permits for a request. Throws a ServerError: MODEL_UNAVAILABLE, BAD_REQUEST, TOO_LARGE (more items than there are
   * permits at all), QUEUE_FULL, WAIT_TOO_LONG (429; with the predicted wait as `retryAfterMs`), DEADLINE_EXCEEDED, or the
   * error of `failAll`.
   */
  admit(request: AdmissionRequest): Admission<Payload, Result> {
    const { modelKey, items, priority = DEFAULT_PRIORITY, party = 'clients', deadlineMs, owner = '' } = request;
    try {
      const model = this.#check(request, priority, party);
      model.countPermits(party, items);
      this.#permits += items;
      model.asked({ turnedAway: false });
      return new Admission(this.#port, { model, priority, party, deadlineMs, owner, permits: items }, items);
    } catch (error) {
      if (error instanceof ServerError) this.#events.refused?.({ modelKey, code: error.code, items, party });
      throw error;
    }
  }

  /** How long a new ticket would wait for the start of its run; 0 while nothing is known of run times, or of the model. */
  predictedWaitMs(key: string, priority: number = DEFAULT_PRIORITY): number {
    const model = this.#models.get(key);
    return model === undefined ? 0 : this.#forecast(model, { priority }).waitMs;
  }

  /** Most cost of a run of several tickets. */
  costOfRun(key: string): number {
    return this.#models.get(key)?.costOfRun() ?? Infinity;
  }

  /** Fitted run time in ms = a * cost + b, of one shape or of the model; undefined before its first run. */
  fit(key: string, shapeKey?: string): Fit | undefined {
    return this.#models.get(key)?.estimator.fit(shapeKey);
  }

  /** All 0 for an unknown model. */
  depth(key: string): Depth {
    const model = this.#models.get(key);
    if (model === undefined) return { waiting: 0, running: 0, permits: 0, queueItems: 0 };
    const { queue, runningItems, permits, mostItems } = model;
    return { waiting: queue.items, running: runningItems, permits, queueItems: mostItems };
  }

  /** True when no further item of this model and party would be admitted, because there are no permits. */
  isFull(key: string, party: Party = 'clients'): boolean {
    const model = this.#models.get(key);
    return model !== undefined && model.room(party) <= 0;
  }

  /** Lets all models, those that come later included, admit only a part of what their queues could hold: above 0, up to 1. */
  limitQueues(part: number): void {
    this.#queuePart = part;
    for (const model of this.#models.values()) model.queuePart = part;
  }

  /** Items for which a party has permits; 0 for an unknown model. */
  room(key: string, party: Party): number {
    return this.#models.get(key)?.room(party) ?? 0;
  }

  /** Settles what a lane runs with this error, without waiting for it. The lane stays busy, and the permits taken, until its run ends. */
  failRun(laneId: number, error: ServerError): void {
    const run = this.#dispatcher.slots.get(laneId)?.run;
    for (const ticket of run?.batch.take ?? []) if (ticket.state === 'running') this.#fail(ticket, error);
  }

  /** What a request is answered that is not even to be admitted, because `isFull`. */
  refusal(key: string, party: Party = 'clients'): ServerError {
    const model = this.#models.get(key);
    return model === undefined
      ? new ServerError('MODEL_UNAVAILABLE')
      : this.#full(model, { priority: DEFAULT_PRIORITY, party });
  }

  /**
   * Settles all that waits with this error (and, if asked, all that runs, without waiting for the lanes), and refuses everything that comes later
   * with it: the server has failed, or is draining.
   */
  failAll(error: ServerError, options: { readonly running?: boolean } = {}): void {
    this.#failure = error;
    for (const model of this.#models.values()) {
      for (const ticket of model.queue.all()) this.#fail(ticket, error);
    }
    if (options.running !== true) return;
    for (const ticket of this.#dispatcher.running()) if (ticket.state === 'running') this.#fail(ticket, error);
  }

  /** Resolves when nothing waits, runs, or is being prepared, and all tickets have settled. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }

  #check(request: AdmissionRequest, priority: number, party: Party): QueuedModel<Payload, Result> {
    const { modelKey, items, deadlineMs } = request;
    if (this.#failure !== undefined) throw this.#failure;
    const model = this.#models.get(modelKey);
    if (model === undefined || model.removal !== undefined) throw new ServerError('MODEL_UNAVAILABLE');
    checkRequest(items, priority, model.queueItems);
    if (items > model.room(party)) throw this.#full(model, { priority, party });
    const nowMs = this.#clock.now();
    model.arrivals.add(items * model.estimator.costPerItem, priority, nowMs);
    const leftMs = deadlineMs - nowMs;
    if (leftMs <= 0) throw new ServerError('DEADLINE_EXCEEDED');
    if (leftMs < Infinity) {
      const { waitMs, runMs } = this.#forecast(model, { priority, party, leftMs });
      // Always admitted if nothing is ahead, because old runs must not make a model refuse everything for good.
      if (waitMs > 0 && waitMs + runMs > leftMs) {
        model.asked({ turnedAway: true });
        throw new ServerError('WAIT_TOO_LONG', undefined, { retryAfterMs: Math.max(1, waitMs) });
      }
    }
    return model;
  }

  #full(model: QueuedModel<Payload, Result>, asked: Asked): ServerError {
    model.asked({ turnedAway: true });
    const knows = model.estimator.fit() !== undefined;
    const waitMs = knows ? this.#forecast(model, asked).waitMs : UNKNOWN_WAIT_MS;
    return new ServerError('QUEUE_FULL', undefined, { retryAfterMs: Math.max(1, waitMs) });
  }

  #forecast(model: QueuedModel<Payload, Result>, asked: Asked): Forecast {
    const newcomer = newcomerOf(asked, this.#clock.now(), this.#parties);
    return forecast(model, this.#models.values(), this.#dispatcher.slots.values(), newcomer);
  }

  #take(grant: Grant<Payload, Result>): boolean {
    const { model, party } = grant;
    if (this.#failure !== undefined || model.removal !== undefined || model.room(party) <= 0) return false;
    model.countPermits(party, 1);
    grant.permits += 1;
    this.#permits += 1;
    return true;
  }

  #enqueue(grant: Grant<Payload, Result>, item: AdmittedItem<Payload>, permits: number): TicketHandle<Result> {
    const { model, deadlineMs } = grant;
    const nowMs = this.#clock.now();
    model.checkTime(item, deadlineMs - nowMs);
    const ticket = new QueuedTicket(item, {
      grant,
      sequence: this.#sequence++,
      enqueuedMs: nowMs,
      permits,
      onCancel: this.#onCancel,
    });
    const { shapeKey } = item;
    if (model.waitingTickets === 0 && model.runningItems === 0) rejoin(model.share, this.#models.values());
    const wasFull = isFull(model);
    this.#parties.comes(ticket);
    model.queue.add(ticket);
    if (this.#failure !== undefined) this.#fail(ticket, this.#failure);
    else if (deadlineMs <= nowMs) this.#leave(ticket, 'expired');
    else {
      this.#deadlines.watch(ticket);
      if (model.limits.maxDelayMs > 0) model.estimator.arrived(shapeKey, nowMs);
      this.#dispatcher.soon(!wasFull && isFull(model));
    }
    return ticket;
  }

  #leave(ticket: QueuedTicket<Payload, Result>, why: 'cancelled' | 'expired'): void {
    const { state, model, items } = ticket;
    if (state === 'settled') return;
    if (why !== 'cancelled' && state === 'waiting') model.asked({ turnedAway: true });
    this.#fail(ticket, new ServerError(LEFT[why]));
    this.#events.left?.({ modelKey: model.key, why, state, items });
  }

  /** Their time is not up, but no run can serve them in time any more: they are refused like those of whom that was known when they came. */
  #giveUp(tickets: readonly QueuedTicket<Payload, Result>[]): void {
    const [first] = tickets;
    if (first === undefined) return;
    const { model } = first;
    const retryAfterMs = Math.max(1, this.#forecast(model, first).waitMs);
    for (const ticket of tickets) {
      model.asked({ turnedAway: true });
      this.#fail(ticket, new ServerError('WAIT_TOO_LONG', undefined, { retryAfterMs }));
      this.#events.left?.({ modelKey: model.key, why: 'late', state: 'waiting', items: ticket.items });
    }
  }

  /** Settles a ticket that waits or runs. While it runs, its permits stay with the run, because the lane is busy with it. */
  #fail(ticket: QueuedTicket<Payload, Result>, error: ServerError): void {
    const waited = ticket.state === 'waiting';
    this.#deadlines.forget(ticket);
    ticket.fail(error);
    if (!waited) {
      this.#dispatcher.leave(ticket);
      return;
    }
    ticket.model.queue.remove(ticket);
    this.#parties.leaves(ticket);
    this.#giveBack(ticket.grant, ticket.permits);
  }

  #giveBack(grant: Grant<Payload, Result>, permits: number): void {
    const { model } = grant;
    grant.permits -= permits;
    model.countPermits(grant.party, -permits);
    this.#permits -= permits;
    this.#whenDone(model);
  }

  get #isIdle(): boolean {
    return this.#permits === 0 && this.#settlingRuns === 0;
  }

  #whenDone(model: QueuedModel<Payload, Result>): void {
    this.#whenEmpty(model);
    if (!this.#isIdle) return;
    const waiters = this.#onIdle;
    this.#onIdle = [];
    for (const resolve of waiters) resolve();
  }

  #whenEmpty(model: QueuedModel<Payload, Result>): void {
    if (model.permits > 0 || model.settlingRuns > 0 || model.onEmpty === undefined) return;
    // The last run of a ticket on lent permits may end when another model has the key.
    if (this.#models.get(model.key) === model) this.#models.delete(model.key);
    model.onEmpty();
  }
}
