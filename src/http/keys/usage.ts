import type { KeyLimits } from '../../config/api-keys.ts';
import { ServerError } from '../../errors.ts';

const DAY_MS = 86_400_000;

/** Sums of floats come out a little too small. */
const SLACK_MS = 1e-6;

/** A token bucket. What is taken beyond its level is owed: a request is let in while anything is left, however many items it turns out to have. */
class Bucket {
  #perMs: number;
  #capacity: number;
  #level: number;
  #atMs: number;

  constructor(perMs: number, capacity: number, nowMs: number) {
    this.#perMs = perMs;
    this.#capacity = capacity;
    this.#level = capacity;
    this.#atMs = nowMs;
  }

  /** Keeps what is owed. */
  change(perMs: number, capacity: number): void {
    this.#perMs = perMs;
    this.#capacity = capacity;
    this.#level = Math.min(this.#level, capacity);
  }

  /** How long until something is left; 0: now. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    return Math.max(0, Math.ceil((1 - this.#level) / this.#perMs - SLACK_MS));
  }

  take(count: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#level = Math.min(this.#capacity, this.#level - count);
  }

  #fill(nowMs: number): void {
    this.#level = Math.min(this.#capacity, this.#level + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}

/** Times of the clock on the wall for days, and of one that never goes back for rates. */
export interface UsageClock {
  nowMs(): number;
  wallMs(): number;
}

const REAL: UsageClock = { nowMs: () => performance.now(), wallMs: () => Date.now() };

/** How much of its limits a key has used, in this process. Days are those of UTC. */
export class KeyUsage {
  readonly #clock: UsageClock;
  #limits: KeyLimits = {};
  #requests: Bucket | undefined;
  #items: Bucket | undefined;
  #day = 0;
  #requestsToday = 0;
  #itemsToday = 0;

  constructor(limits: KeyLimits, clock: UsageClock = REAL) {
    this.#clock = clock;
    this.change(limits);
  }

  /** Sets the limits, and keeps what has been used. */
  change(limits: KeyLimits): void {
    const { requestsPerSecond: rate, burst = Math.max(1, Math.ceil(rate ?? 1)), itemsPerMinute } = limits;
    this.#limits = limits;
    this.#requests = this.#bucketOf(this.#requests, rate === undefined ? undefined : [rate / 1000, burst]);
    this.#items = this.#bucketOf(
      this.#items,
      itemsPerMinute === undefined ? undefined : [itemsPerMinute / 60_000, Math.max(1, itemsPerMinute)],
    );
  }

  /** RATE_LIMITED or QUOTA_EXCEEDED while nothing is left for a further request; else undefined. */
  refusal(): ServerError | undefined {
    const { requestsPerDay = Infinity, itemsPerDay = Infinity } = this.#limits;
    if (requestsPerDay !== Infinity || itemsPerDay !== Infinity) {
      const leftMs = this.#dayLeftMs();
      if (this.#requestsToday >= requestsPerDay || this.#itemsToday >= itemsPerDay)
        return new ServerError('QUOTA_EXCEEDED', undefined, { retryAfterMs: leftMs });
    }
    const nowMs = this.#clock.nowMs();
    const waitMs = Math.max(this.#requests?.waitMs(nowMs) ?? 0, this.#items?.waitMs(nowMs) ?? 0);
    return waitMs === 0 ? undefined : new ServerError('RATE_LIMITED', undefined, { retryAfterMs: waitMs });
  }

  countRequest(): void {
    this.#dayLeftMs();
    this.#requestsToday += 1;
    this.#requests?.take(1, this.#clock.nowMs());
  }

  /** A negative count gives items back that were not served. */
  countItems(count: number): void {
    this.#dayLeftMs();
    this.#itemsToday = Math.max(0, this.#itemsToday + count);
    this.#items?.take(count, this.#clock.nowMs());
  }

  #dayLeftMs(): number {
    const wallMs = this.#clock.wallMs();
    const day = Math.floor(wallMs / DAY_MS);
    if (day !== this.#day) {
      this.#day = day;
      this.#requestsToday = 0;
      this.#itemsToday = 0;
    }
    return (day + 1) * DAY_MS - wallMs;
  }

  #bucketOf(before: Bucket | undefined, rate: readonly [number, number] | undefined): Bucket | undefined {
    if (rate === undefined) return undefined;
    before?.change(...rate);
    return before ?? new Bucket(...rate, this.#clock.nowMs());
  }
}
