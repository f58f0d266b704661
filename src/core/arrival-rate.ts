import { LOWEST_PRIORITY } from './ticket.ts';

/** Over about how long the rate is taken: some runs, so that a burst shows while it lasts. */
const WINDOW_MS = 50;

/** Cost that has come lately per ms, by priority: what came a while ago counts less and less. */
export class ArrivalRate {
  readonly #levels = Array.from({ length: LOWEST_PRIORITY }, () => ({ perMs: 0, lastMs: 0 }));

  add(cost: number, priority: number, nowMs: number): void {
    const level = this.#levels[priority - 1];
    if (level === undefined) return;
    level.perMs = level.perMs * Math.exp((level.lastMs - nowMs) / WINDOW_MS) + cost / WINDOW_MS;
    level.lastMs = nowMs;
  }

  /** Of this priority and better ones. */
  perMs(priority: number, nowMs: number): number {
    let sum = 0;
    for (const { perMs, lastMs } of this.#levels.slice(0, priority))
      sum += perMs * Math.exp((lastMs - nowMs) / WINDOW_MS);
    return sum;
  }
}
