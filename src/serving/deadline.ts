import { systemClock } from '../core/clock.ts';
import { Deadlines, type Timed } from '../core/deadlines.ts';
import type { Clock } from '../core/ticket.ts';

/**
 * When a request's time is up. It begins with the request, before its body has arrived, and every stage asks it what is left: if each
 * stage had a limit of its own, a request could outlast its limit several times. Limits that become known on the way
 * (the client's, the model's) count from the same beginning; they shorten the time and never renew it.
 */
export class Deadline {
  /** On the clock, like `atMs`. */
  readonly startMs: number;
  readonly #clock: Clock;
  #atMs: number;

  /** `limitMs` from now on; Infinity: none. */
  constructor(limitMs: number, clock: Clock = systemClock) {
    this.#clock = clock;
    this.startMs = clock.now();
    this.#atMs = this.startMs + limitMs;
  }

  get atMs(): number {
    return this.#atMs;
  }

  /** Since the request began. */
  get elapsedMs(): number {
    return this.#clock.now() - this.startMs;
  }

  /** What is left; below 0 when it has passed. */
  leftMs(): number {
    return this.#atMs - this.#clock.now();
  }

  /** The request may take `limitMs` from its beginning, unless it has less anyway. */
  shorten(limitMs: number): void {
    this.#atMs = Math.min(this.#atMs, this.startMs + limitMs);
  }
}

/** A wait that a deadline ends. */
export interface TimedWait extends Timed {
  /** -1 before the wait is watched. */
  heapIndex: number;
  /** Called once, when `deadlineMs` has passed on the watch's clock. */
  late(): void;
}

/** Ends waits at their deadlines. All share one timer, because setting and clearing one for each small request would cost more. */
export class DeadlineWatch {
  readonly #deadlines: Deadlines<TimedWait>;

  constructor(clock: Clock = systemClock) {
    this.#deadlines = new Deadlines(clock, (wait) => wait.late());
  }

  watch(wait: TimedWait): void {
    this.#deadlines.watch(wait);
  }

  /** The wait is over; doing so again does nothing. */
  forget(wait: TimedWait): void {
    this.#deadlines.forget(wait);
  }
}
