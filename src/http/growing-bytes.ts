import { freeBuffer } from './free-buffer.ts';

/** The buffer holds this many times what has arrived, up to the announced length. */
const AHEAD = 2;
const LEAST_BYTES = 4096;

/** Who is told of memory before it is used, and may refuse it by throwing. */
export interface MemoryAccount {
  take(bytes: number): void;
  give(bytes: number): void;
}

/** What has not begun to grow: a buffer of its own for each would cost a third of what a small body does. */
const NOTHING = new Uint8Array(0);

export interface Growth {
  /** Bytes held at most. */
  readonly limitBytes: number;
  /** The length that was announced, if any. */
  readonly declaredBytes?: number | undefined;
  /** All of the buffer is taken from it, not only what has arrived: memory that was in use before costs as much without being written to. */
  readonly account?: MemoryAccount;
}

/** Collects bytes in one buffer as they arrive: keeping the pieces, however small, would cost memory for each. */
export class GrowingBytes {
  readonly #growth: Growth;
  #bytes: Uint8Array<ArrayBuffer> = NOTHING;
  #length = 0;

  constructor(growth: Growth) {
    this.#growth = growth;
  }

  get length(): number {
    return this.#length;
  }

  /** Throws a RangeError beyond the limit, and what the account throws. */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.byteLength;
    if (length > this.#bytes.byteLength) this.#grow(length);
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** All bytes, in a buffer of exactly their length. */
  whole(): Uint8Array<ArrayBuffer> {
    if (this.#length < this.#bytes.byteLength) {
      const spare = this.#bytes.byteLength - this.#length;
      this.#move(this.#length);
      this.#growth.account?.give(spare);
    }
    // What may be handed to another thread must not be the buffer that all share.
    return this.#bytes === NOTHING ? new Uint8Array(0) : this.#bytes;
  }

  /** Frees the memory of what has arrived. */
  free(): void {
    this.#growth.account?.give(this.#bytes.byteLength);
    freeBuffer(this.#bytes.buffer);
    this.#bytes = NOTHING;
    this.#length = 0;
  }

  #grow(length: number): void {
    const { limitBytes, declaredBytes = 0, account } = this.#growth;
    const bytes =
      declaredBytes < length
        ? Math.min(limitBytes, Math.max(AHEAD * length, LEAST_BYTES))
        : Math.min(declaredBytes, AHEAD * length);
    account?.take(bytes - this.#bytes.byteLength);
    this.#move(bytes);
  }

  /** Moves the bytes into a buffer of this size. */
  #move(bytes: number): void {
    const moved = new Uint8Array(bytes);
    if (this.#length > 0) {
      moved.set(this.#bytes.subarray(0, this.#length));
      freeBuffer(this.#bytes.buffer);
    }
    this.#bytes = moved;
  }
}
