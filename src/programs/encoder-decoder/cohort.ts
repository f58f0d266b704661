import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { CrossDecoder, Logits } from './decoder.ts';
import type { DecoderCache } from './decoder-cache.ts';
import type { Hidden } from './encoded.ts';

/** A text that is being written: by one row of a cohort, or by several (the beams of a search). */
export interface Writer {
  readonly id: number;
  /** The last token of each of its rows. */
  readonly last: readonly number[];
  /**
   * Takes the logits of its rows, [vocabulary] each, which may be altered; at first it has one row. Gives the rows that it has next: for each, the one that it goes on
   * from. None: the text is done.
   */
  take(logits: readonly Float32Array[]): readonly number[];
  /** Of a text that is done. */
  outcome(): TicketOutcome;
}

/** What `take` gives for a writer of one row. */
export const GOES_ON: readonly number[] = [0];
export const IS_DONE: readonly number[] = [];

/** A text that is done. */
export interface Done {
  readonly id: number;
  readonly outcome: TicketOutcome;
}

export interface Begun {
  readonly cohort: Cohort;
  readonly done: readonly Done[];
}

/** A writer in its cohort. */
interface Place {
  readonly writer: Writer;
  /** Its first row, and how many it has. */
  readonly first: number;
  readonly rows: number;
}

/** What becomes of a place: the rows that it goes on from, counted from its first. */
interface Move extends Place {
  readonly next: readonly number[];
}

/**
 * Texts that are written together. Decoders have no mask for missing tokens of a text, so all rows of a run must have texts of one length. Texts
 * that began together stay together, and leave when they are done.
 */
export class Cohort {
  readonly #decoder: CrossDecoder;
  readonly #cache: DecoderCache;
  #places: readonly Place[];

  private constructor(decoder: CrossDecoder, cache: DecoderCache, places: readonly Place[]) {
    this.#decoder = decoder;
    this.#cache = cache;
    this.#places = places;
  }

  /** Begins texts whose prompts have one length; `writers` makes them by the logits of their prompts. Throws what ONNX Runtime throws. */
  static async begin(
    decoder: CrossDecoder,
    { prompts, hidden }: { readonly prompts: readonly (readonly number[])[]; readonly hidden: Hidden },
    writers: (logits: Logits) => readonly Writer[],
  ): Promise<Begun> {
    const [logits, cache] = await decoder.begin(prompts, hidden);
    const places = writers(logits).map((writer, first) => ({ writer, first, rows: 1 }));
    const cohort = new Cohort(decoder, cache, places);
    return { cohort, done: cohort.#take(logits) };
  }

  /** Number of texts. */
  get size(): number {
    return this.#places.length;
  }

  get ids(): number[] {
    return this.#places.map(({ writer }) => writer.id);
  }

  get writers(): Writer[] {
    return this.#places.map(({ writer }) => writer);
  }

  /** Writes one more token for every row. Throws what ONNX Runtime throws. */
  async step(): Promise<Done[]> {
    const last = this.#places.flatMap(({ writer }) => writer.last);
    return this.#take(await this.#decoder.step(last, this.#cache));
  }

  /** Drops the texts that do not stay. */
  keepOnly(stays: (id: number) => boolean): void {
    if (this.#places.every(({ writer }) => stays(writer.id))) return;
    this.#move(
      this.#places.map((place) => {
        const same = Array.from({ length: place.rows }, (_, row) => row);
        return { ...place, next: stays(place.writer.id) ? same : IS_DONE };
      }),
    );
  }

  /** Two cohorts of its texts in order; this one must not be used any more. */
  halves(): [Cohort, Cohort] {
    const half = Math.ceil(this.size / 2);
    const part = (places: readonly Place[]): Cohort => {
      const from = places[0]?.first ?? 0;
      const to = places.reduce((end, { first, rows }) => Math.max(end, first + rows), from);
      const moved = places.map((place) => ({ ...place, first: place.first - from }));
      return new Cohort(this.#decoder, this.#cache.slice(from, to), moved);
    };
    return [part(this.#places.slice(0, half)), part(this.#places.slice(half))];
  }

  #take(logits: Logits): Done[] {
    const done: Done[] = [];
    const moves = this.#places.map((place): Move => {
      const { writer, first, rows } = place;
      const own = Array.from({ length: rows }, (_, row) => rowOf(logits, first + row, logits.positions - 1));
      const next = writer.take(own);
      if (next.length === 0) done.push({ id: writer.id, outcome: writer.outcome() });
      return { ...place, next };
    });
    this.#move(moves);
    return done;
  }

  /** The last text moves into the place of one that leaves: then the cache moves the rows of one text, not of all behind it. */
  #move(moves: readonly Move[]): void {
    const kept = [...moves];
    for (let index = kept.length - 1; index >= 0; index -= 1) {
      if (kept[index]?.next.length !== 0) continue;
      const last = kept.pop();
      if (last !== undefined && index < kept.length) kept[index] = last;
    }
    const texts = kept.flatMap(({ first, next }) => next.map((row) => first + row));
    // All rows of a text read the same source.
    const sources = kept.flatMap(({ first, rows, next }) => next.map((_, row) => first + Math.min(row, rows - 1)));
    this.#cache.arrange(texts, sources);
    let first = 0;
    this.#places = kept.map(({ writer, next: { length: rows } }) => {
      first += rows;
      return { writer, first: first - rows, rows };
    });
  }
}

/** The logits of a row at a position, over their own memory. */
export function rowOf({ values, positions, vocabulary }: Logits, row: number, position: number): Float32Array {
  const from = (row * positions + position) * vocabulary;
  return values.subarray(from, from + vocabulary);
}
