import { Bank, type Cached } from './bank.ts';
import type { DecoderLayout } from './layout.ts';
import type { Row } from './row.ts';

/** Shorter common beginnings are computed as quickly as they are copied. */
const LEAST_TOKENS = 4;

/** Where the keys and values of a prompt's beginning lie. */
export interface Prefix {
  readonly bank: Bank<Cached>;
  readonly slot: number;
  readonly tokens: number;
}

interface Kept {
  readonly ids: Int32Array;
  readonly bank: Bank<Cached>;
}

/**
 * Keys and values of the latest prompts and answers that have ended. A newcomer that begins alike (with the same system prompt, or the
 * conversation so far) does not compute them again. Rows that still run are searched as well.
 */
export class PrefixStore {
  readonly #layout: DecoderLayout;
  readonly #mostTokens: number;
  readonly #pieceTokens: number | undefined;
  /** In order of use, the latest last. */
  #kept: Kept[] = [];

  /**
   * With `pieceTokens`, prompts are computed in pieces of so many tokens, and only whole pieces of prompts are used again: the newcomer would
   * have computed the same numbers, to the last bit.
   */
  constructor(layout: DecoderLayout, mostTokens: number, pieceTokens?: number) {
    this.#layout = layout;
    this.#mostTokens = mostTokens;
    this.#pieceTokens = pieceTokens;
  }

  /** Tokens kept. */
  get tokens(): number {
    return this.#kept.reduce((sum, { ids }) => sum + ids.length, 0);
  }

  /** Copies what a bank holds of a row that leaves it, and forgets others to make room, the least recently used first. */
  keep(row: Row, bank: Bank<Row>): void {
    const ids = this.#usable(row).subarray(0, this.#mostTokens);
    const slot = bank.rows.indexOf(row);
    if (ids.length < LEAST_TOKENS || slot < 0) return;
    if (this.#kept.some((kept) => inCommon(kept.ids, ids) === ids.length)) return;
    this.#kept = this.#kept.filter((kept) => inCommon(kept.ids, ids) < kept.ids.length);
    while (this.tokens + ids.length > this.#mostTokens) this.#kept.shift();
    const copy = new Bank<Cached>(this.#layout, (tokens) => tokens);
    copy.add({ cached: ids.length }, { bank, slot });
    // A copy of its own: `ids` may be a view of a longer context.
    this.#kept.push({ ids: ids.slice(), bank: copy });
  }

  /** The longest beginning of a prompt that is kept here or in the banks of running rows. The prompt's last token is left out, as its run gives the logits. */
  find(prompt: Int32Array, running: readonly Bank<Row>[]): Prefix | undefined {
    const most = this.#whole(prompt.length - 1);
    let best: Prefix | undefined;
    let used: Kept | undefined;
    for (const kept of this.#kept) {
      const tokens = Math.min(most, this.#whole(inCommon(kept.ids, prompt)));
      if (tokens <= (best?.tokens ?? LEAST_TOKENS - 1)) continue;
      best = { bank: kept.bank, slot: 0, tokens };
      used = kept;
    }
    for (const bank of running)
      for (const [slot, row] of bank.rows.entries()) {
        const tokens = Math.min(most, this.#whole(inCommon(this.#usable(row), prompt)));
        if (tokens > (best?.tokens ?? LEAST_TOKENS - 1)) best = { bank, slot, tokens };
      }
    if (used !== undefined && best?.bank === used.bank)
      this.#kept = [...this.#kept.filter((kept) => kept !== used), used];
    return best;
  }

  clear(): void {
    this.#kept = [];
  }

  /** The tokens of a row that its cache holds and others may use. */
  #usable(row: Row): Int32Array {
    const context = row.context();
    if (this.#pieceTokens === undefined) return context;
    return context.subarray(0, this.#whole(Math.min(row.prompt.length, context.length)));
  }

  #whole(tokens: number): number {
    return this.#pieceTokens === undefined ? tokens : tokens - (tokens % this.#pieceTokens);
  }
}

/** How many tokens two texts begin with alike. */
function inCommon(one: Int32Array, other: Int32Array): number {
  const most = Math.min(one.length, other.length);
  let count = 0;
  while (count < most && one[count] === other[count]) count += 1;
  return count;
}
