import type { Clock, Lane, RunReport, TicketOfRun } from '../../src/core/ticket.ts';

/** A run that waits to be ended by the test. */
export interface FakeRun<Payload> {
  readonly modelKey: string;
  readonly payloads: readonly Payload[];
  /** Every payload gives itself as its result. */
  finish(part?: Partial<RunReport<Payload>>): void;
  fail(error: Error): void;
}

/** A lane whose runs end when the test says so; it checks that it is given one batch at a time. */
export class FakeLane<Payload> implements Lane<Payload, Payload> {
  readonly id: number;
  current: FakeRun<Payload> | undefined;
  /** Batches so far. */
  readonly batches: (readonly Payload[])[] = [];
  readonly #onRun: ((run: FakeRun<Payload>, lane: FakeLane<Payload>) => void) | undefined;

  constructor(id: number, onRun?: (run: FakeRun<Payload>, lane: FakeLane<Payload>) => void) {
    this.id = id;
    this.#onRun = onRun;
  }

  run(modelKey: string, tickets: readonly TicketOfRun<Payload>[]): Promise<RunReport<Payload>> {
    const payloads = tickets.map(({ payload }) => payload as Payload);
    if (this.current !== undefined) throw new Error(`lane ${this.id} is busy`);
    this.batches.push(payloads);
    return new Promise((resolve, reject) => {
      this.current = {
        modelKey,
        payloads,
        finish: (part = {}) => {
          this.current = undefined;
          const outcomes = payloads.map((result) => ({ ok: true, result }) as const);
          resolve({ outcomes, runMs: 1, stackMs: 0, splitMs: 0, ...part });
        },
        fail: (error) => {
          this.current = undefined;
          reject(error);
        },
      };
      this.#onRun?.(this.current, this);
    });
  }
}

/** A lane that takes `runMs(modelKey, payloads)` of the clock's time for a run. */
export function timedLane<Payload>(
  id: number,
  clock: Clock,
  runMs: (modelKey: string, payloads: readonly Payload[]) => number,
): FakeLane<Payload> {
  return new FakeLane(id, (run) => {
    const ms = runMs(run.modelKey, run.payloads);
    clock.after(ms, () => run.finish({ runMs: ms }));
  });
}
