import { freeBuffer } from './free-buffer.ts';

/** Memory is made for this many times what has arrived of an announced length: what is not written to yet costs nothing. */
const AHEAD = 8;
const LEAST_BYTES = 4096;

/** Bytes as they arrive, in one buffer: kept pieces, however small, would each cost memory of their own. */
export class GrowingBytes {
  readonly #limitBytes: number;
  readonly #declaredBytes: number | undefined;
  #bytes = new Uint8Array(0);
  #length = 0;

  /** At most `limitBytes`; `declaredBytes` where they are told beforehand. */
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

  /** All of them, in a buffer of just their length. */
  whole(): Uint8Array<ArrayBuffer> {
    if (this.#length < this.#bytes.byteLength) this.#move(this.#length);
    return this.#bytes;
  }

  /** Frees what has arrived. */
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

  /** Into a buffer of this size. */
  #move(bytes: number): void {
    const moved = new Uint8Array(bytes);
    moved.set(this.#bytes.subarray(0, this.#length));
    freeBuffer(this.#bytes.buffer);
    this.#bytes = moved;
  }
}
