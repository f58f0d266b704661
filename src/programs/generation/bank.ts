import { Tensor as OrtTensor } from 'onnxruntime-node';
import type { DecoderLayout } from './layout.ts';

/** Elements of a cache; half floats as their bits. */
export type CacheArray = Float32Array | Uint16Array;

/** What a bank needs of its rows: how many of their tokens it holds. */
export interface Cached {
  cached: number;
}

/** Keys and values of one run's new tokens, for one tensor of the cache: [rows, heads, tokens, size]. */
export interface NewPart {
  readonly data: CacheArray;
  /** Tokens along the third axis. */
  readonly tokens: number;
  /** Where the new ones of a row begin there. */
  readonly first: (row: number) => number;
}

/**
 * Keys and values of rows that run together, in memory that stays where it is: one array per tensor of the cache, [slots, heads,
 * capacity, size]. Row i has slot i; its tokens begin at 0, and what lies beyond them is masked. Rows therefore need no padding on the
 * left, a new token is written behind the last one, and rows come and go without moving the others' past.
 */
export class Bank<Row extends Cached> {
  readonly rows: Row[] = [];
  readonly #layout: DecoderLayout;
  readonly #round: (tokens: number) => number;
  #capacity = 0;
  #slots = 0;
  #arrays: CacheArray[];
  /** Of all rows, until they or their memory change. */
  #views: readonly OrtTensor[] | undefined;

  /** `round` gives the capacity for a number of tokens: at least that number. */
  constructor(layout: DecoderLayout, round: (tokens: number) => number) {
    this.#layout = layout;
    this.#round = round;
    this.#arrays = layout.cache.map(() => allocate(layout, 0));
  }

  /** Tokens that each slot has room for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** The cache of `count` rows from row `from` on, as tensors over its memory. */
  views(from: number, count: number): readonly OrtTensor[] {
    const whole = from === 0 && count === this.rows.length;
    if (whole && this.#views !== undefined) return this.#views;
    const views = this.#layout.cache.map(({ heads, size }, index) => {
      const slot = heads * this.#capacity * size;
      const data = this.#arrays[index]?.subarray(from * slot, (from + count) * slot) ?? allocate(this.#layout, 0);
      return new OrtTensor(this.#layout.cacheType, data as Float32Array, [count, heads, this.#capacity, size]);
    });
    if (whole) this.#views = views;
    return views;
  }

  /** Writes the new tokens of `count` rows from row `from` on behind their past. */
  store(parts: readonly NewPart[], { from, count, tokens }: { from: number; count: number; tokens: number }): void {
    const rows = this.rows.slice(from, from + count);
    const needed = Math.max(...rows.map(({ cached }) => cached + tokens));
    if (needed > this.#capacity) this.#resize(this.#round(needed), this.#slots);
    for (const [index, { heads, size }] of this.#layout.cache.entries()) {
      const part = parts[index];
      const array = this.#arrays[index];
      if (part === undefined || array === undefined) throw new Error('the run gave no keys and values');
      for (const [place, { cached }] of rows.entries())
        for (let head = 0; head < heads; head += 1) {
          const source = ((place * heads + head) * part.tokens + part.first(place)) * size;
          const target = (((from + place) * heads + head) * this.#capacity + cached) * size;
          array.set(part.data.subarray(source, source + tokens * size), target);
        }
    }
    for (const row of rows) row.cached += tokens;
  }

  /** Adds a row, whose past is copied from a slot of another bank or is still empty. */
  add(row: Row, source?: { readonly bank: Bank<Cached>; readonly slot: number }): void {
    const slot = this.rows.length;
    const capacity = row.cached > this.#capacity ? this.#round(row.cached) : this.#capacity;
    const slots = slot < this.#slots ? this.#slots : Math.max(slot + 1, Math.ceil(this.#slots * 1.5));
    if (capacity !== this.#capacity || slots !== this.#slots) this.#resize(capacity, slots);
    this.rows.push(row);
    this.#views = undefined;
    if (source !== undefined) this.#copy({ from: source.bank, slot: source.slot, cached: row.cached }, slot);
    // A masked value is multiplied by 0, but NaN times 0 is NaN: what a former row left must go.
    for (const [index, { heads, size }] of this.#layout.cache.entries())
      for (let head = 0; head < heads; head += 1) {
        const start = (slot * heads + head) * this.#capacity;
        this.#arrays[index]?.fill(0, (start + row.cached) * size, (start + this.#capacity) * size);
      }
  }

  /** Removes a row; the last one moves into its slot. */
  remove(row: Row): void {
    const slot = this.rows.indexOf(row);
    const last = this.rows.pop();
    if (slot < 0 || last === undefined) throw new Error('the row is not in this bank');
    this.#views = undefined;
    if (last === row) return;
    this.rows[slot] = last;
    for (const [index, { heads, size }] of this.#layout.cache.entries()) {
      const slotSize = heads * this.#capacity * size;
      this.#arrays[index]?.copyWithin(slot * slotSize, this.rows.length * slotSize, (this.rows.length + 1) * slotSize);
    }
  }

  /** A bank with the rows of both, in no more memory than they need. */
  static merge<Row extends Cached>(one: Bank<Row>, other: Bank<Row>): Bank<Row> {
    const merged = new Bank<Row>(one.#layout, one.#round);
    const all = [one, other].flatMap((bank) => bank.rows.map((row, slot) => ({ bank, row, slot })));
    merged.#resize(one.#round(Math.max(...all.map(({ row }) => row.cached))), all.length);
    for (const [slot, { bank, row, slot: from }] of all.entries()) {
      merged.rows.push(row);
      merged.#copy({ from: bank, slot: from, cached: row.cached }, slot);
    }
    return merged;
  }

  /** Frees memory when the rows that needed it have left. */
  shrink(): void {
    const needed = this.#round(Math.max(0, ...this.rows.map(({ cached }) => cached)));
    if (needed <= this.#capacity * 0.75 || this.rows.length <= this.#slots / 2) this.#resize(needed, this.rows.length);
  }

  #resize(capacity: number, slots: number): void {
    const former = this.#snapshot();
    this.#arrays = this.#layout.cache.map(({ heads, size }) => allocate(this.#layout, slots * heads * capacity * size));
    this.#capacity = capacity;
    this.#slots = slots;
    this.#views = undefined;
    for (const [slot, { cached }] of this.rows.entries()) this.#copy({ from: former, slot, cached }, slot);
  }

  /** Another bank over the same memory. */
  #snapshot(): Bank<Row> {
    const bank = new Bank<Row>(this.#layout, this.#round);
    bank.#capacity = this.#capacity;
    bank.#arrays = this.#arrays;
    return bank;
  }

  #copy({ from, slot, cached }: { from: Bank<Cached>; slot: number; cached: number }, to: number): void {
    for (const [index, { heads, size }] of this.#layout.cache.entries()) {
      const source = from.#arrays[index];
      if (source === undefined) continue;
      for (let head = 0; head < heads; head += 1) {
        const start = (slot * heads + head) * from.#capacity * size;
        const target = (to * heads + head) * this.#capacity * size;
        this.#arrays[index]?.set(source.subarray(start, start + cached * size), target);
      }
    }
  }
}

function allocate({ cacheType }: DecoderLayout, elements: number): CacheArray {
  return cacheType === 'float32' ? new Float32Array(elements) : new Uint16Array(elements);
}
