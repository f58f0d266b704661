import { ServerError } from '../errors.ts';
import { ArrivalRate } from './arrival-rate.ts';
import { Estimator, timeOf, type RunSample } from './estimator.ts';
import { WaitingQueue, type Queueable } from './queue.ts';
import type { Rival, Share } from './scheduler.ts';
import type { BatchLimits, Party } from './ticket.ts';

/** How a model is added to the core. */
export interface ModelOptions {
  readonly limits: BatchLimits;
  /** Most items of each party waiting and running together: the number of its permits. */
  readonly queueItems: number;
  /** Ids of the lanes that hold the model; default: every lane. */
  readonly lanes?: readonly number[];
  /** Runs seen before, such as those of the warm-up: the first predictions are made from them. */
  readonly seenRuns?: readonly (RunSample & { readonly shapeKey: string })[];
  /** A run that takes longer is stuck: none is made that is predicted to take more than a share of it. Default: no limit. */
  readonly runLimitMs?: number;
  /** Its part of the lane time where there is too little for all, next to those of other models. Default: 1. */
  readonly weight?: number;
  /** Its tickets take several runs; they join and leave the batch between these. */
  readonly stepping?: boolean;
}

/** The share of its limit that a run of several tickets may be predicted to take, because a machine may be busier later. */
const RUN_LIMIT_SHARE = 0.5;

/** Weight of the newest ticket in what a stepping model's tickets take. */
const SERVICE_WEIGHT = 0.1;

/** Weight of the newest request in the part of requests that cannot be served. */
const TURNED_AWAY_WEIGHT = 0.02;

/** All that the core keeps of one model. */
export class ModelState<T extends Queueable<T>> implements Rival {
  readonly key: string;
  readonly queueItems: number;
  readonly queue: WaitingQueue<T>;
  readonly estimator = new Estimator();
  /** Of what there were permits for. */
  readonly arrivals = new ArrivalRate(this.estimator);
  readonly share: Share;
  readonly stepping: boolean;
  readonly runLimitMs: number;
  /** Of a stepping model: mean time on a lane, and mean cost, of the last tickets; undefined before the first has ended. */
  service: { readonly ms: number; readonly cost: number } | undefined;
  /** Items admitted and not given back: in preparation, waiting or running. */
  permits = 0;
  readonly permitsOf: Record<Party, number> = { clients: 0, jobs: 0 };
  /** The part of `queueItems` that is in use. */
  queuePart = 1;
  runningItems = 0;
  /** Runs that have ended, and whose tickets do not all have their replies yet. Permits are back before. */
  settlingRuns = 0;
  /** Cost of the tickets on lanes. */
  runningCost = 0;
  /** Set when the model is being removed: called when its last permit is back and its last ticket settled. */
  onEmpty: (() => void) | undefined;
  removal: Promise<void> | undefined;
  #turnedAway = 0;
  #limits: BatchLimits;
  readonly #lanes: ReadonlySet<number> | undefined;

  constructor(key: string, options: ModelOptions, agingMs: number) {
    this.key = key;
    this.#limits = options.limits;
    this.queueItems = options.queueItems;
    this.#lanes = options.lanes === undefined ? undefined : new Set(options.lanes);
    this.queue = new WaitingQueue(agingMs);
    this.share = { servedMs: 0, startMs: 0, weight: options.weight ?? 1 };
    this.stepping = options.stepping ?? false;
    this.runLimitMs = options.runLimitMs ?? Infinity;
    for (const run of options.seenRuns ?? []) this.estimator.record(run.shapeKey, run);
  }

  get limits(): BatchLimits {
    return this.#limits;
  }

  /** False while the time of a run of several tickets is not known. */
  get knowsRuns(): boolean {
    return this.stepping || this.runLimitMs === Infinity || this.estimator.fit() !== undefined;
  }

  /** Most cost of a run of several tickets, by its limits and by the time that it may take; of one shape, or as a whole. */
  costOfRun(shapeKey?: string): number {
    const { maxCost } = this.#limits;
    if (this.runLimitMs === Infinity) return maxCost;
    return Math.min(maxCost, this.estimator.costWithin(RUN_LIMIT_SHARE * this.runLimitMs, shapeKey) ?? maxCost);
  }

  /**
   * Throws TOO_LARGE for a ticket whose run alone is predicted to pass the run limit, or the time that is left to it. Only if no run of such a
   * cost has kept that time: a fit alone must not refuse requests for good.
   */
  checkTime({ cost, shapeKey }: { readonly cost: number; readonly shapeKey: string }, leftMs: number): void {
    if (this.stepping || this.runLimitMs === Infinity) return;
    const fit = this.estimator.wallFit(shapeKey);
    const limitMs = Math.min(this.runLimitMs, leftMs);
    const ms = fit === undefined ? 0 : timeOf(fit, cost);
    if (ms <= limitMs || limitMs <= 0 || cost <= this.estimator.mostCostSeen(limitMs)) return;
    // A tight deadline is the client's choice: if there were runs of the kind, the ticket is tried.
    if (ms <= this.runLimitMs && cost <= this.estimator.mostCostSeen(Infinity)) return;
    const limit =
      ms > this.runLimitMs
        ? `a run of this model may take ${seconds(this.runLimitMs)} (runLimitMs in model.json)`
        : `its time limit leaves ${seconds(leftMs)} (REQUEST_TIMEOUT_MS, queue.timeoutMs in model.json, or the request's own)`;
    throw new ServerError('TOO_LARGE', `This input would run for about ${seconds(ms)}; ${limit}.`);
  }

  /** Permits taken by a party, or given back. */
  countPermits(party: Party, by: number): void {
    this.permits += by;
    this.permitsOf[party] += by;
  }

  /** Permits that are left to a party. A request of many items is not refused for ever because only a part is in use. */
  room(party: Party): number {
    const taken = this.permitsOf[party];
    return taken === 0 ? this.queueItems : this.mostItems - taken;
  }

  /** Permits of each party that are in use now: at least a full batch. */
  get mostItems(): number {
    return Math.min(this.queueItems, Math.max(this.#limits.maxItems, Math.ceil(this.queueItems * this.queuePart)));
  }

  get waitingTickets(): number {
    return this.queue.tickets;
  }

  /** Admitted items that are not enqueued yet. */
  get preparingItems(): number {
    return this.permits - this.queue.items - this.runningItems;
  }

  runsOn(laneId: number): boolean {
    return this.#lanes?.has(laneId) ?? true;
  }

  /** Of so many lanes in all. */
  lanesOf(lanes: number): number {
    return Math.min(lanes, this.#lanes?.size ?? lanes);
  }

  /** A request was let in, or there was no room or time for it. */
  asked({ turnedAway }: { readonly turnedAway: boolean }): void {
    this.#turnedAway += TURNED_AWAY_WEIGHT * ((turnedAway ? 1 : 0) - this.#turnedAway);
  }

  /** More than half of its last requests could not be served. */
  get isFlooded(): boolean {
    return this.#turnedAway > 0.5;
  }

  /** A ticket of a stepping model has ended well, this long after its first run began. */
  served(ms: number, { cost }: { readonly cost: number }): void {
    const before = this.service ?? { ms, cost };
    const mean = (old: number, value: number): number => old + SERVICE_WEIGHT * (value - old);
    this.service = { ms: mean(before.ms, ms), cost: mean(before.cost, cost) };
  }

  /** A lane has learnt that larger batches do not fit in its memory. */
  lowerMaxItems(maxItems: number): void {
    const lowered = Math.max(1, Math.floor(maxItems));
    if (lowered < this.#limits.maxItems) this.#limits = { ...this.#limits, maxItems: lowered };
  }
}

function seconds(ms: number): string {
  return `${Math.max(0.1, Math.round(ms / 100) / 10)} s`;
}
