/** Characters of JSON per chunk, roughly: it bounds the length of strings, however large the answer is. */
const CHUNK_CHARACTERS = 65_536;

const encoder = new TextEncoder();

/** Gathers JSON text into chunks of UTF-8. */
export class JsonChunks {
  readonly #chunks: Uint8Array[] = [];
  #pending = '';

  /** Pieces must end between characters, so that a surrogate pair is never cut. */
  add(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= CHUNK_CHARACTERS) this.#flush();
  }

  finish(): Uint8Array[] {
    if (this.#pending !== '') this.#flush();
    return this.#chunks;
  }

  #flush(): void {
    this.#chunks.push(encoder.encode(this.#pending));
    this.#pending = '';
  }
}
