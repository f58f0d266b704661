import { uniform } from './random.ts';
import { runMsOf, type SimModel, type SimRequest, type World } from './workload.ts';

/** What became of a load. */
export class Tally {
  met = 0;
  refused = 0;
  givenUp = 0;
  runs = 0;
  items = 0;
  busyMs = 0;
  readonly #random: () => number;
  readonly #jitter: number;

  constructor({ jitter, seed }: World) {
    this.#jitter = jitter;
    this.#random = uniform(seed + 2);
  }

  /** A run starts: the time it will take. */
  startRun(model: SimModel, items: number): number {
    const ms = runMsOf(model, items) * (1 + this.#jitter * (2 * this.#random() - 1));
    this.runs += 1;
    this.items += items;
    this.busyMs += ms;
    return ms;
  }

  endRun(requests: readonly SimRequest[], nowMs: number): void {
    // A run that ends at the very deadline meets it, whatever rounding says.
    for (const { deadlineMs } of requests) if (nowMs <= deadlineMs + 1e-6) this.met += 1;
  }

  get meanBatch(): number {
    return this.runs === 0 ? 0 : this.items / this.runs;
  }
}

/** Takes requests as they come, on the simulated clock. */
export interface SimServer {
  arrive(request: SimRequest): void;
}
