import type { Clock } from '../../src/core/ticket.ts';

interface Timer {
  readonly atMs: number;
  /** Timers of one moment ring in the order in which they were set. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** Time that jumps from one timer to the next, with the end of the turn (`defer`) on it: hours of load in seconds. */
export class SimClock implements Clock {
  #nowMs = 0;
  #order = 0;
  /** A binary heap; a timer that was taken back stays in it, without its callback, until its time comes. */
  readonly #heap: Timer[] = [];
  #deferred: (() => void)[] = [];

  readonly defer = (callback: () => void): void => {
    this.#deferred.push(callback);
  };

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + delayMs, order: this.#order++, callback };
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return () => {
      timer.callback = undefined;
    };
  }

  /** Rings all timers up to this time, each in a turn of its own, and stops there; with Infinity at the last timer. */
  async runTo(untilMs: number): Promise<void> {
    if (untilMs === this.#nowMs) return;
    await this.#endTurn();
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) break;
      this.#pop();
      const { callback } = first;
      if (callback === undefined) continue;
      this.#nowMs = Math.max(this.#nowMs, first.atMs);
      callback();
      await this.#endTurn();
    }
    if (untilMs < Infinity) this.#nowMs = untilMs;
  }

  /** Promises settle, then what was deferred runs, and so does everything that follows from it at this moment. */
  async #endTurn(): Promise<void> {
    await settled();
    while (this.#deferred.length > 0) {
      const due = this.#deferred;
      this.#deferred = [];
      for (const callback of due) callback();
      await settled();
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink();
  }

  #rise(from: number): void {
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (!this.#swapWhenEarlier(index, above)) return;
      index = above;
    }
  }

  #sink(): void {
    for (let index = 0; ;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      const below = this.#isEarlier(right, left) ? right : left;
      if (!this.#swapWhenEarlier(below, index)) return;
      index = below;
    }
  }

  #isEarlier(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    if (a === undefined || b === undefined) return false;
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #swapWhenEarlier(below: number, above: number): boolean {
    const [child, parent] = [this.#heap[below], this.#heap[above]];
    if (child === undefined || parent === undefined || !this.#isEarlier(below, above)) return false;
    this.#heap[above] = child;
    this.#heap[below] = parent;
    return true;
  }
}

/** Node runs a `nextTick` callback only when no promise is left to settle; unlike `setImmediate`, it costs no turn of the real event loop. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}
