import type { Clock, Lane, RunReport, TicketOfRun } from '../../src/core/ticket.ts';

/** A run that waits to be ended by the test. */
export interface FakeRun<Payload> {
  readonly modelKey: string;
  readonly payloads: readonly Payload[];
  /** The result of every payload is the payload itself. */
  finish(part?: Partial<RunReport<Payload>>): void;
  fail(error: Error): void;
}

/**
 * A lane whose runs end when the test says so; it checks that it is given one batch at a time, or two if it `takesAhead`. Like a real one it keeps the state of the tickets that a
 * model's last run named and that are to go on.
 */
export class FakeLane<Payload> implements Lane<Payload, Payload> {
  readonly id: number;
  readonly takesAhead: boolean;
  current: FakeRun<Payload> | undefined;
  /** Sent ahead: becomes the current run when that ends. */
  #behind: FakeRun<Payload> | undefined;
  /** Batches so far. */
  readonly batches: (readonly Payload[])[] = [];
  /** By model and ticket. */
  readonly #held = new Map<string, Map<number, Payload>>();
  readonly #onRun: ((run: FakeRun<Payload>, lane: FakeLane<Payload>) => void) | undefined;

  constructor(
    id: number,
    onRun?: (run: FakeRun<Payload>, lane: FakeLane<Payload>) => void,
    { takesAhead = false }: { readonly takesAhead?: boolean } = {},
  ) {
    this.id = id;
    this.takesAhead = takesAhead;
    this.#onRun = onRun;
  }

  /** The run on the lane, and the one behind it. */
  get runs(): FakeRun<Payload>[] {
    return [this.current, this.#behind].filter((run) => run !== undefined);
  }

  /** Tickets of a model whose state it keeps. */
  held(modelKey: string): Payload[] {
    return [...(this.#held.get(modelKey)?.values() ?? [])];
  }

  run(modelKey: string, tickets: readonly TicketOfRun<Payload>[]): Promise<RunReport<Payload>> {
    if (this.runs.length > (this.takesAhead ? 1 : 0)) throw new Error(`lane ${this.id} is busy`);
    const before = this.#held.get(modelKey);
    const held = new Map<number, Payload>();
    for (const { id, payload } of tickets) {
      if (payload === undefined && before?.has(id) !== true) throw new Error(`lane ${this.id} has no ticket ${id}`);
      held.set(id, payload ?? (before?.get(id) as Payload));
    }
    this.#held.set(modelKey, held);
    const payloads = [...held.values()];
    this.batches.push(payloads);
    return new Promise((resolve, reject) => {
      const run: FakeRun<Payload> = {
        modelKey,
        payloads,
        finish: (part = {}) => {
          this.#end(run);
          const done = payloads.map((result) => ({ ok: true, result }) as const);
          const { outcomes = done } = part;
          for (const [index, { id }] of tickets.entries()) {
            const outcome = outcomes[index];
            if (outcome === undefined || !('more' in outcome)) held.delete(id);
          }
          resolve({ runMs: 1, stackMs: 0, splitMs: 0, ...part, outcomes });
        },
        fail: (error) => {
          this.#end(run);
          reject(error);
        },
      };
      if (this.current === undefined) this.current = run;
      else this.#behind = run;
      this.#onRun?.(run, this);
    });
  }

  #end(run: FakeRun<Payload>): void {
    if (run !== this.current) throw new Error(`lane ${this.id} has not begun this run`);
    this.current = this.#behind;
    this.#behind = undefined;
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
