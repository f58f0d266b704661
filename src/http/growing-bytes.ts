import { freeBuffer } from './free-buffer.ts';

/** The buffer holds this many times what has arrived, up to the announced length: memory that is not written to yet costs nothing. */
const AHEAD = 8;
const LEAST_BYTES = 4096;

/** Collects bytes in one buffer as they arrive: keeping the pieces, however small, would cost memory for each. */
export class GrowingBytes {
  readonly #limitBytes: number;
  readonly #declaredBytes: number | undefined;
  #bytes = new Uint8Array(0);
  #length = 0;

  /** Holds at most `limitBytes`; `declaredBytes` is the length that was announced, if any. */
  constructor(limitBytes: number, declaredBytes?: number) {
    this.#limitBytes = limitBytes;
    this.#declaredBytes = declaredBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Throws a RangeError beyond the limit. */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.byteLength;
    if (length > this.#bytes.byteLength) this.#grow(length);
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** All bytes, in a buffer of exactly their length. */
  whole(): Uint8Array<ArrayBuffer> {
    if (this.#length < this.#bytes.byteLength) this.#move(this.#length);
    return this.#bytes;
  }

  /** Frees the memory of what has arrived. */
  free(): void {
    freeBuffer(this.#bytes.buffer);
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
  }

  #grow(length: number): void {
    const declared = this.#declaredBytes;
    const wanted =
      declared === undefined || declared < length
        ? Math.min(this.#limitBytes, Math.max(2 * length, LEAST_BYTES))
        : Math.min(declared, AHEAD * length);
    this.#move(wanted);
  }

  /** Moves the bytes into a buffer of this size. */
  #move(bytes: number): void {
    const moved = new Uint8Array(bytes);
    moved.set(this.#bytes.subarray(0, this.#length));
    freeBuffer(this.#bytes.buffer);
    this.#bytes = moved;
  }
}
