import type { Lane, Outcome, RunReport, TicketOfRun } from '../../src/core/ticket.ts';

/** A ticket for the stepping lane: its name, and the runs it takes. */
export interface Steps {
  readonly name: string;
  readonly runs: number;
}

/** A lane whose tickets take several runs, which end when the test says so; like a real one it keeps the state of those named. */
export class SteppingLane implements Lane<unknown, unknown> {
  readonly id: number;
  /** Names of each run's tickets. */
  readonly batches: string[][] = [];
  readonly #held = new Map<number, { readonly model: string; readonly name: string; left: number; done: number }>();
  #end: { readonly resolve: (report: RunReport<unknown>) => void; readonly reject: (error: Error) => void } | undefined;
  #tickets: readonly TicketOfRun<unknown>[] = [];

  constructor(id: number) {
    this.id = id;
  }

  get busy(): boolean {
    return this.#end !== undefined;
  }

  /** Tickets whose state it keeps. */
  get held(): string[] {
    return [...this.#held.values()].map(({ name }) => name);
  }

  run(model: string, tickets: readonly TicketOfRun<unknown>[]): Promise<RunReport<unknown>> {
    if (this.busy) throw new Error('the lane is busy');
    for (const { id, payload } of tickets)
      if (payload !== undefined) {
        const { name, runs } = payload as Steps;
        this.#held.set(id, { model, name, left: runs, done: 0 });
      }
    const named = new Set(tickets.map(({ id }) => id));
    for (const [id, held] of this.#held) if (held.model === model && !named.has(id)) this.#held.delete(id);
    this.batches.push(tickets.map(({ id }) => this.#held.get(id)?.name ?? `unknown ${id}`));
    this.#tickets = tickets;
    return new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
    });
  }

  /** Ends the run: each ticket has one run less to go. */
  step(): void {
    const outcomes = this.#tickets.map(({ id }): Outcome<unknown> => {
      const state = this.#held.get(id);
      if (state === undefined) throw new Error(`ticket ${id} is not here`);
      state.left -= 1;
      state.done += 1;
      if (state.left > 0) return { ok: true, more: true, progress: state.done };
      this.#held.delete(id);
      return { ok: true, result: `${state.name} done` };
    });
    const end = this.#end;
    this.#end = undefined;
    end?.resolve({ outcomes, runMs: 10, stackMs: 0, splitMs: 0 });
  }

  lose(error: Error): void {
    const end = this.#end;
    this.#end = undefined;
    end?.reject(error);
  }
}
