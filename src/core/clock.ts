import type { Clock } from './ticket.ts';

/** The longest delay of setTimeout; it turns anything longer into 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The process's monotonic clock. Its timers do not keep the process alive. A timer of more than 24 days comes early, so
 * whoever sets one checks the time when it comes.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, LONGEST_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Calls back when everything that has arrived in this turn of the event loop is read. */
export function nextTurn(callback: () => void): void {
  setImmediate(callback);
}

/** Resolves when all that follows at once from what has happened so far is done: replies are written, say. Other events of the loop do not come in between. */
export function followed(): Promise<void> {
  // After the promises that are ready: a reply takes many of them, one after the other.
  return new Promise((resolve) => process.nextTick(resolve));
}

/** One timer that can be moved: at any moment it is set for one time, or for none. */
export class Alarm {
  readonly #clock: Clock;
  readonly #callback: () => void;
  #atMs = Infinity;
  #takeBack: (() => void) | undefined;

  constructor(clock: Clock, callback: () => void) {
    this.#clock = clock;
    this.#callback = callback;
  }

  /** Moves the alarm to this time on the clock; Infinity: none. */
  set(atMs: number): void {
    if (atMs === this.#atMs) return;
    this.#takeBack?.();
    this.#takeBack = undefined;
    this.#atMs = atMs;
    if (atMs === Infinity) return;
    this.#takeBack = this.#clock.after(Math.max(0, atMs - this.#clock.now()), () => {
      this.#atMs = Infinity;
      this.#takeBack = undefined;
      this.#callback();
    });
  }

  /** Moves the alarm forward to this time, unless it comes sooner anyway. */
  setBy(atMs: number): void {
    if (atMs < this.#atMs) this.set(atMs);
  }
}
