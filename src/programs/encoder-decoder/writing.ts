import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { SteppingRun } from '../stepping-run.ts';
import type { Begun, Cohort, Done, Writer } from './cohort.ts';

/** Further steps share a run while they take less than this together. */
const STEPS_MS = 20;

/** How texts of one kind of model are begun and ended. */
export interface Texts<Source> {
  /** Parts sources into groups that can begin together, each of at most so many rows. */
  groups(sources: readonly Source[], rows: number): readonly (readonly Source[])[];
  /** Begins the texts of a group, or of a part of one. Throws what ONNX Runtime throws. */
  begin(group: readonly Source[]): Promise<Begun>;
  /** The outcome of a text that is done, where it is not what its writer says: it may be kept for something else. */
  end?(done: Done): TicketOutcome;
}

export interface WritingParts<Source> {
  readonly texts: Texts<Source>;
  /** Most rows of a cohort. */
  readonly cohortRows: number;
  readonly now: () => number;
}

/** Texts that are being written. */
export class Writing<Source extends { readonly id: number }> {
  readonly #texts: Texts<Source>;
  readonly #now: () => number;
  #cohorts: Cohort[] = [];
  #cohortRows: number;
  #maxItems: number | undefined;

  constructor({ texts, cohortRows, now }: WritingParts<Source>) {
    this.#texts = texts;
    this.#cohortRows = cohortRows;
    this.#now = now;
  }

  get size(): number {
    return this.#cohorts.reduce((sum, { size }) => sum + size, 0);
  }

  /** Most rows of a cohort; less once memory did not hold as many. */
  get cohortRows(): number {
    return this.#cohortRows;
  }

  /** Most texts that the lane should have, once memory did not hold what it had. */
  get maxItems(): number | undefined {
    return this.#maxItems;
  }

  has(id: number): boolean {
    return this.#cohorts.some(({ ids }) => ids.includes(id));
  }

  /** All writers, by id. */
  writers(): Map<number, Writer> {
    return new Map(this.#cohorts.flatMap(({ writers }) => writers.map((writer) => [writer.id, writer] as const)));
  }

  keepOnly(stays: (id: number) => boolean): void {
    for (const cohort of this.#cohorts) cohort.keepOnly(stays);
    this.#cohorts = this.#cohorts.filter(({ size }) => size > 0);
  }

  /** Begins texts: a cohort for each group. */
  async begin(sources: readonly Source[], run: SteppingRun): Promise<void> {
    for (const group of this.#texts.groups(sources, this.#cohortRows)) {
      await run.halving(group, {
        runWhole: async (part) => {
          const { cohort, done } = await this.#texts.begin(part);
          this.#cohorts.push(cohort);
          return this.#outcomesOf(part, done);
        },
        onOutOfMemory: (part) => {
          this.#shrink(part.length);
        },
      });
      if (run.fatal !== undefined) return;
    }
    this.keepOnly((id) => !run.ended.has(id));
  }

  /** One more token for every text, and further ones while steps are quick and no text is done. */
  async steps(run: SteppingRun): Promise<void> {
    const startMs = this.#now();
    let lastMs = 0;
    do {
      const roundMs = this.#now();
      for (const cohort of [...this.#cohorts]) {
        await this.#step(cohort, run);
        if (run.fatal !== undefined) return;
      }
      this.keepOnly((id) => !run.ended.has(id));
      lastMs = this.#now() - roundMs;
    } while (run.ended.size === 0 && this.#cohorts.length > 0 && this.#now() - startMs + lastMs < STEPS_MS);
  }

  async #step(cohort: Cohort, run: SteppingRun): Promise<void> {
    const texts = cohort.ids.map((id) => ({ id }));
    await run.halving(texts, {
      runWhole: async (part) => this.#outcomesOf(part, await this.#cohortOf(part).step()),
      onOutOfMemory: (part) => {
        this.#shrink(part.length);
      },
    });
  }

  #outcomesOf(texts: readonly { readonly id: number }[], done: readonly Done[]): TicketOutcome[] {
    return texts.map(({ id }) => {
      const own = done.find((entry) => entry.id === id);
      if (own === undefined) return { ok: true, more: true };
      return this.#texts.end?.(own) ?? own.outcome;
    });
  }

  /** The cohort of exactly these texts: a cohort whose step failed is parted into halves. */
  #cohortOf(part: readonly { readonly id: number }[]): Cohort {
    const first = part[0]?.id ?? NaN;
    for (;;) {
      const index = this.#cohorts.findIndex(({ ids }) => ids.includes(first));
      const cohort = this.#cohorts[index];
      if (cohort === undefined) throw new Error('there is no cohort of these texts');
      if (cohort.size <= part.length) return cohort;
      this.#cohorts.splice(index, 1, ...cohort.halves());
    }
  }

  /** Memory did not hold a run of so many texts. */
  #shrink(texts: number): void {
    const fitting = Math.max(1, Math.floor(texts / 2));
    this.#cohortRows = Math.min(this.#cohortRows, fitting);
    this.#maxItems = Math.min(this.#maxItems ?? Infinity, fitting);
  }
}
