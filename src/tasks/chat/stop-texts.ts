import { beginningAtEnd } from './beginning-at-end.ts';

/** Ends a text that comes in pieces at its first stop text, which may lie across pieces. */
export class StopTexts {
  readonly #stops: readonly string[];
  readonly #keepsStop: boolean;
  #held = '';
  #stopped = false;

  /** `keepsStop`: the stop text is the end of the text, instead of what comes before it. */
  constructor(stops: readonly string[], { keepsStop = false }: { keepsStop?: boolean } = {}) {
    this.#stops = stops;
    this.#keepsStop = keepsStop;
  }

  /** A stop text was met; nothing comes any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Adds a piece, and gives the text that certainly belongs to no stop text. */
  push(piece: string): string {
    if (this.#stopped || piece === '') return '';
    const text = this.#held + piece;
    const ends = this.#stops.flatMap((stop) => {
      const place = text.indexOf(stop);
      return place < 0 ? [] : [this.#keepsStop ? place + stop.length : place];
    });
    if (ends.length > 0) {
      this.#stopped = true;
      this.#held = '';
      return text.slice(0, Math.min(...ends));
    }
    const free = text.length - Math.max(0, ...this.#stops.map((stop) => beginningAtEnd(text, stop)));
    this.#held = text.slice(free);
    return text.slice(0, free);
  }

  /** The text that was held back, once no more comes. */
  end(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }
}
