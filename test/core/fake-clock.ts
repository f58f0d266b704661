import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/core/ticket.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Time that moves only when told to, with timers and the end of the turn (`defer`) on it. */
export class FakeClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();
  #deferred: (() => void)[] = [];

  readonly defer = (callback: () => void): void => {
    this.#deferred.push(callback);
  };

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Ends the turn: promises settle, deferred callbacks run, and so does everything that follows from them at this moment. */
  async turn(): Promise<void> {
    await setImmediate();
    do {
      const due = this.#deferred;
      this.#deferred = [];
      for (const callback of due) callback();
      await setImmediate();
    } while (this.#deferred.length > 0);
  }

  /** Moves time on, timer by timer. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.turn();
    for (let next = this.#next(); next !== undefined && next.atMs <= untilMs; next = this.#next()) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.delete(next);
      next.callback();
      await this.turn();
    }
    this.#nowMs = untilMs;
  }

  /** Time passes while the event loop is blocked: no timer fires. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.atMs < next.atMs) next = timer;
    return next;
  }
}
