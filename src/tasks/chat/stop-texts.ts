/** Ends a text that comes in pieces at its first stop text, which may lie across pieces. */
export class StopTexts {
  readonly #stops: readonly string[];
  #held = '';
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** A stop text was met; nothing comes any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Adds a piece, and gives the text that certainly belongs to no stop text. */
  push(piece: string): string {
    if (this.#stopped || piece === '') return '';
    const text = this.#held + piece;
    const places = this.#stops.map((stop) => text.indexOf(stop)).filter((place) => place >= 0);
    if (places.length > 0) {
      this.#stopped = true;
      this.#held = '';
      return text.slice(0, Math.min(...places));
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

/** Length of the longest end of `text` that is a beginning of `stop`. */
function beginningAtEnd(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length -= 1)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
