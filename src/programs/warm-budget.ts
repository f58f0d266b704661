import type { WarmLimits } from '../lanes/protocol.ts';

/** Runs this short are always made twice: the first run of a shape also allocates its memory. */
const SHORT_RUN_MS = 20;

/** Decides which runs are still made before a model takes requests. */
export class WarmBudget {
  readonly #limits: WarmLimits;
  readonly #now: () => number;
  readonly #startMs: number;
  #last: { readonly cost: number; readonly ms: number } | undefined;

  constructor(limits: WarmLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
    this.#startMs = now();
  }

  /** Whether a run of this cost is to be made: its time is predicted in proportion to the last one's. The first always is. */
  allows(cost: number): boolean {
    if (this.#last === undefined) return true;
    const ms = (this.#last.ms * cost) / this.#last.cost;
    return ms <= this.#limits.runMs && this.#spentMs + ms <= this.#limits.allMs;
  }

  /** Makes a run once or twice, and returns the time, in milliseconds as `run` does, that such a run takes from then on. */
  async time(cost: number, run: () => Promise<number>): Promise<number> {
    const { repeat, allMs } = this.#limits;
    const isFirst = this.#last === undefined;
    let ms = await run();
    const again = repeat || (isFirst && this.#spentMs < allMs) || (ms < SHORT_RUN_MS && allMs > 0);
    if (again) ms = await run();
    this.took(cost, ms);
    return ms;
  }

  /** A run of this cost was made. */
  took(cost: number, ms: number): void {
    this.#last = { cost, ms };
  }

  get #spentMs(): number {
    return this.#now() - this.#startMs;
  }
}
