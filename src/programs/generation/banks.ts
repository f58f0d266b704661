import { Bank } from './bank.ts';
import type { DecoderLayout } from './layout.ts';
import type { Prefix } from './prefix-store.ts';
import type { Row } from './row.ts';

export interface BankRules {
  /** No row shares a run with another. */
  readonly alone: boolean;
  /** Rows of a run must have pasts of one length, with no room between past and new tokens. */
  readonly exact: boolean;
  /**
   * Activations are quantised, which makes a change in the last bit as large as the quantisation's own error. Everything a row's sums
   * depend on must therefore follow from the row alone: the capacity of its bank, and the pieces of its prompt.
   */
  readonly steady: boolean;
  /**
   * The cost of one more run, in cached tokens read; padding is worth it while it costs less. A run reads the weights once, and each
   * row's cache up to the end of the longest row.
   */
  readonly passTokens: number;
}

/** The banks of a model's rows. Rows of similar length share one, so that short rows do not pay for the longest of all. */
export class Banks {
  readonly #layout: DecoderLayout;
  readonly #rules: BankRules;
  readonly #round: (tokens: number) => number;
  #banks: Bank<Row>[] = [];

  constructor(layout: DecoderLayout, rules: BankRules) {
    this.#layout = layout;
    this.#rules = rules;
    this.#round = rules.exact ? (tokens) => tokens : rules.steady ? steadyRoomFor : roomFor;
  }

  get all(): readonly Bank<Row>[] {
    return this.#banks;
  }

  /** A separate bank for one row, which may begin with what another bank holds. */
  apart(row: Row, prefix?: Prefix): Bank<Row> {
    const bank = new Bank<Row>(this.#layout, this.#round);
    row.cached = prefix?.tokens ?? 0;
    bank.add(row, prefix);
    return bank;
  }

  /** Takes in the only row of a separate bank. */
  join(bank: Bank<Row>): void {
    const [row] = bank.rows;
    if (row === undefined) throw new Error('the bank has no row');
    const needed = this.#round(row.cached);
    let best: Bank<Row> | undefined;
    let least = needed + this.#rules.passTokens;
    for (const candidate of this.#rules.alone ? [] : this.#banks) {
      const count = candidate.rows.length;
      const more = Math.max(candidate.capacity, needed) * (count + 1) - candidate.capacity * count;
      if ((this.#rules.exact && candidate.capacity !== needed) || more >= least) continue;
      least = more;
      best = candidate;
    }
    if (best === undefined) this.#banks.push(bank);
    else best.add(row, { bank, slot: 0 });
  }

  /** Removes rows. */
  remove(rows: readonly Row[]): void {
    if (rows.length === 0) return;
    for (const bank of this.#banks)
      for (const row of rows) {
        if (bank.rows.includes(row)) bank.remove(row);
      }
    this.#banks = this.#banks.filter((bank) => bank.rows.length > 0);
    for (const bank of this.#banks) bank.shrink();
    this.#mergeLike();
  }

  clear(): void {
    this.#banks = [];
  }

  /** Merges banks that cost less together, by at least half a run, so that rows do not move back and forth. */
  #mergeLike(): void {
    if (this.#rules.exact || this.#rules.alone) return;
    for (const [index, one] of this.#banks.entries())
      for (const other of this.#banks.slice(index + 1)) {
        const rows = one.rows.length + other.rows.length;
        const apart = one.capacity * one.rows.length + other.capacity * other.rows.length;
        if (Math.max(one.capacity, other.capacity) * rows - apart > this.#rules.passTokens / 2) continue;
        this.#banks = [...this.#banks.filter((bank) => bank !== one && bank !== other), Bank.merge(one, other)];
        this.#mergeLike();
        return;
      }
  }
}

/** Capacity grows in steps of an eighth, at least 32 tokens, so that neither copying nor unused room costs much. */
function roomFor(tokens: number): number {
  const step = Math.max(32, 2 ** Math.floor(Math.log2(Math.max(1, tokens))) / 8);
  return Math.ceil(tokens / step) * step;
}

/**
 * ONNX Runtime adds up a product of matrices in blocks of at most 256 along the tokens, and a softmax in lanes of at most 64. With whole blocks
 * before the new tokens, which lie behind the capacity, the masked room beyond a row's past only adds zeros, however large it is.
 */
const STEADY_TOKENS = 256;

function steadyRoomFor(tokens: number): number {
  return Math.ceil(tokens / STEADY_TOKENS) * STEADY_TOKENS;
}
