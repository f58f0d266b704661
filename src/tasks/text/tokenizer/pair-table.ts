/** A map from pairs of whole numbers (0 to 2^31 - 1) to whole numbers, in typed arrays: a Map of a million pairs takes five times the memory. */
export class PairTable {
  readonly #mask: number;
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  readonly #values: Int32Array;

  /** At most `capacity` pairs will be set. */
  constructor(capacity: number) {
    let size = 16;
    while (size < capacity * 2) size *= 2;
    this.#mask = size - 1;
    this.#first = new Int32Array(size).fill(-1);
    this.#second = new Int32Array(size);
    this.#values = new Int32Array(size);
  }

  /** The value, or -1. */
  get(first: number, second: number): number {
    const slot = this.#slot(first, second);
    return this.#first[slot] === -1 ? -1 : (this.#values[slot] ?? -1);
  }

  set(first: number, second: number, value: number): void {
    const slot = this.#slot(first, second);
    this.#first[slot] = first;
    this.#second[slot] = second;
    this.#values[slot] = value;
  }

  /** The slot of a pair, or the free one where it would go. */
  #slot(first: number, second: number): number {
    let hash = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & this.#mask;
    while (this.#first[slot] !== -1 && (this.#first[slot] !== first || this.#second[slot] !== second))
      slot = (slot + 1) & this.#mask;
    return slot;
  }
}
