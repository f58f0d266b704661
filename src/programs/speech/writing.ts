import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { SpeechTokens } from '../../tasks/transcription/speech-work.ts';
import type { SteppingRun } from '../stepping-run.ts';
import type { Alignment } from './alignment.ts';
import { Cohort, type Done } from './cohort.ts';
import type { SpeechDecoder } from './decoder.ts';
import type { EncodedWindow } from './encoding.ts';

/** Further steps share a run while they take less than this together. */
const STEPS_MS = 20;
/** Most bytes of a first pass's logits, which are those of all tokens of the prompts. */
const PROMPT_LOGITS_BYTES = 256 * 2 ** 20;
/** Timestamp tokens, the last of a vocabulary: one for each 0.02 s of a window, both ends included. */
const TIMESTAMPS = 1501;

export interface WritingParts {
  readonly decoder: SpeechDecoder;
  readonly alignment: Alignment;
  readonly tokens: SpeechTokens;
  /** Most windows of a cohort. */
  readonly cohortRows: number;
  readonly now: () => number;
}

/** Windows whose text is being written. */
export class Writing {
  readonly #decoder: SpeechDecoder;
  readonly #alignment: Alignment;
  /** Windows that are to be aligned once they are written. */
  readonly #toAlign = new Map<number, EncodedWindow>();
  readonly #tokens: SpeechTokens;
  readonly #now: () => number;
  #cohorts: Cohort[] = [];
  #cohortRows: number;
  #maxItems: number | undefined;

  constructor({ decoder, alignment, tokens, cohortRows, now }: WritingParts) {
    this.#decoder = decoder;
    this.#alignment = alignment;
    this.#tokens = tokens;
    this.#cohortRows = cohortRows;
    this.#now = now;
  }

  get size(): number {
    return this.#cohorts.reduce((sum, { size }) => sum + size, 0);
  }

  /** Most windows of a cohort; less once memory did not hold as many. */
  get cohortRows(): number {
    return this.#cohortRows;
  }

  /** Most windows that the lane should have, once memory did not hold what it had. */
  get maxItems(): number | undefined {
    return this.#maxItems;
  }

  has(id: number): boolean {
    return this.#cohorts.some(({ ids }) => ids.includes(id));
  }

  keepOnly(stays: (id: number) => boolean): void {
    for (const cohort of this.#cohorts) cohort.keepOnly(stays);
    for (const id of this.#toAlign.keys()) if (!stays(id)) this.#toAlign.delete(id);
    this.#cohorts = this.#cohorts.filter(({ size }) => size > 0);
  }

  /** Begins the texts of windows: a cohort for each length of prompt. */
  async begin(windows: readonly EncodedWindow[], run: SteppingRun): Promise<void> {
    for (const window of windows) if (window.parameters.alignFrames !== undefined) this.#toAlign.set(window.id, window);
    for (const group of this.#groups(windows)) {
      await run.halving(group, {
        runWhole: async (part) => {
          const { cohort, done } = await Cohort.begin(this.#decoder, this.#tokens, part);
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

  /** One more token for every window, and further ones while steps are quick and no window is done. */
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
    const windows = cohort.ids.map((id) => ({ id }));
    await run.halving(windows, {
      runWhole: async (part) => this.#outcomesOf(part, await this.#cohortOf(part).step()),
      onOutOfMemory: (part) => {
        this.#shrink(part.length);
      },
    });
  }

  #outcomesOf(windows: readonly { readonly id: number }[], done: readonly Done[]): TicketOutcome[] {
    return windows.map(({ id }) => {
      const outputs = done.find((entry) => entry.id === id)?.outputs;
      const window = this.#toAlign.get(id);
      if (outputs === undefined) return { ok: true, more: true };
      this.#toAlign.delete(id);
      return window !== undefined && this.#alignment.add(window, outputs)
        ? { ok: true, more: true }
        : { ok: true, outputs };
    });
  }

  /** The cohort of exactly these windows: a cohort whose step failed is parted into halves. */
  #cohortOf(part: readonly { readonly id: number }[]): Cohort {
    const first = part[0]?.id ?? NaN;
    for (;;) {
      const index = this.#cohorts.findIndex(({ ids }) => ids.includes(first));
      const cohort = this.#cohorts[index];
      if (cohort === undefined) throw new Error('there is no cohort of these windows');
      if (cohort.size <= part.length) return cohort;
      this.#cohorts.splice(index, 1, ...cohort.halves());
    }
  }

  /** Memory did not hold a run of so many windows. */
  #shrink(rows: number): void {
    const fitting = Math.max(1, Math.floor(rows / 2));
    this.#cohortRows = Math.min(this.#cohortRows, fitting);
    this.#maxItems = Math.min(this.#maxItems ?? Infinity, fitting);
  }

  #groups(windows: readonly EncodedWindow[]): EncodedWindow[][] {
    const byLength = new Map<number, EncodedWindow[]>();
    for (const window of windows) {
      const { length } = window.parameters.prompt;
      byLength.set(length, [...(byLength.get(length) ?? []), window]);
    }
    return [...byLength].flatMap(([length, all]) => {
      const vocabulary = this.#tokens.timestampBegin + TIMESTAMPS;
      const fitting = Math.max(1, Math.floor(PROMPT_LOGITS_BYTES / (length * vocabulary * 4)));
      const rows = Math.min(this.#cohortRows, fitting);
      return Array.from({ length: Math.ceil(all.length / rows) }, (_, part) =>
        all.slice(part * rows, (part + 1) * rows),
      );
    });
  }
}
