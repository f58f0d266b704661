import { timeOf, type Estimator } from './estimator.ts';
import { LOWEST_PRIORITY } from './ticket.ts';

/** Over about how long the rate is taken: so many runs of one item, so that a few requests that come together are no crowd, but a burst shows while it lasts. */
const WINDOW_RUNS = 8;
const LEAST_WINDOW_MS = 50;

/** Cost that has come lately per ms, by priority: what came a while ago counts less and less. */
export class ArrivalRate {
  readonly #estimator: Pick<Estimator, 'wallFit' | 'costPerItem'>;
  readonly #levels = Array.from({ length: LOWEST_PRIORITY }, () => ({ cost: 0, lastMs: 0 }));

  constructor(estimator: Pick<Estimator, 'wallFit' | 'costPerItem'>) {
    this.#estimator = estimator;
  }

  add(cost: number, priority: number, nowMs: number): void {
    const level = this.#levels[priority - 1];
    if (level === undefined) return;
    level.cost = level.cost * Math.exp((level.lastMs - nowMs) / this.#windowMs) + cost;
    level.lastMs = nowMs;
  }

  /** Of this priority and better ones. */
  perMs(priority: number, nowMs: number): number {
    const windowMs = this.#windowMs;
    let sum = 0;
    for (let index = 0; index < priority; index += 1) {
      const { cost, lastMs } = this.#levels[index] ?? { cost: 0, lastMs: 0 };
      if (cost > 0) sum += cost * Math.exp((lastMs - nowMs) / windowMs);
    }
    return sum / windowMs;
  }

  get #windowMs(): number {
    const { costPerItem } = this.#estimator;
    const fit = this.#estimator.wallFit();
    return fit === undefined ? LEAST_WINDOW_MS : Math.max(LEAST_WINDOW_MS, WINDOW_RUNS * timeOf(fit, costPerItem));
  }
}
