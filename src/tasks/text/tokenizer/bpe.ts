import type { TokenModel } from './model.ts';
import { unknownWord } from './model.ts';
import { PairTable } from './pair-table.ts';

/** Byte pair encoding: merges neighbouring symbols of a word in the order in which they were merged in training. */
export interface BpeOptions {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Pairs of tokens, in the order of training. */
  readonly merges: readonly (readonly [string, string])[];
  readonly unknown: string | undefined;
  /** Put before symbols that do not begin a word. */
  readonly prefix: string;
  /** Put after a word's last symbol. */
  readonly suffix: string;
  /** Consecutive unknown symbols become one token. */
  readonly fuseUnknown: boolean;
  /** Unknown symbols become their bytes, written `<0xE5>`. */
  readonly byteFallback: boolean;
  /** A word that is itself a token is not cut, whatever the merges say. */
  readonly ignoreMerges: boolean;
}

/** Longer words are merged with a queue; for shorter ones, searching all pairs each time is faster. */
const LONG_WORD = 48;

/** The model of a vocabulary and its merges. Throws a plain Error for a merge whose tokens are not in the vocabulary. */
export function bytePairModel(options: BpeOptions): TokenModel {
  const { vocabulary, merges, ignoreMerges } = options;
  const idOf = (token: string): number => {
    const id = vocabulary.get(token);
    if (id === undefined) throw new Error(`the merges name ${JSON.stringify(token)}, which is not in the vocabulary`);
    return id;
  };
  const ranks = new PairTable(merges.length);
  const merged = new Int32Array(merges.length);
  for (const [rank, [left, right]] of merges.entries()) {
    ranks.set(idOf(left), idOf(right), rank);
    merged[rank] = idOf(left + right.slice(options.prefix.length));
  }
  const symbolsOf = symbolReader(options);
  return {
    vocabulary,
    marks: { prefix: options.prefix, suffix: options.suffix },
    encode: (word) => {
      const whole = ignoreMerges ? vocabulary.get(word) : undefined;
      if (whole !== undefined) return [whole];
      const symbols = symbolsOf(word);
      return symbols.length > LONG_WORD ? mergeLong(symbols, ranks, merged) : mergeShort(symbols, ranks, merged);
    },
  };
}

function symbolReader({ vocabulary, unknown, prefix, suffix, fuseUnknown, byteFallback }: BpeOptions) {
  const unknownId = unknown === undefined ? undefined : vocabulary.get(unknown);
  const byteIds = Array.from({ length: 256 }, (_, byte) =>
    vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  const fallback = (symbol: string): number[] | undefined => {
    const ids = Array.from(Buffer.from(symbol, 'utf8'), (byte) => byteIds[byte]);
    return ids.every((id) => id !== undefined) ? ids : undefined;
  };
  return (word: string): number[] => {
    const symbols: number[] = [];
    // An unknown token is added only at the next known symbol or at the end: bytes come before it.
    let pending = false;
    const settle = (): void => {
      if (pending && unknownId !== undefined) symbols.push(unknownId);
      pending = false;
    };
    for (let start = 0, end; start < word.length; start = end) {
      end = start + ((word.codePointAt(start) ?? 0) > 0xffff ? 2 : 1);
      let symbol = word.slice(start, end);
      if (start > 0) symbol = prefix + symbol;
      if (end === word.length) symbol += suffix;
      const id = vocabulary.get(symbol);
      const bytes = id === undefined && byteFallback ? fallback(symbol) : undefined;
      if (id !== undefined) {
        settle();
        symbols.push(id);
      } else if (bytes !== undefined) symbols.push(...bytes);
      else if (unknown !== undefined) {
        if (unknownId === undefined) throw unknownWord(symbol);
        if (!fuseUnknown) settle();
        pending = true;
      }
    }
    settle();
    return symbols;
  };
}

function mergeShort(symbols: number[], ranks: PairTable, merged: Int32Array): number[] {
  const pairRanks: number[] = [];
  for (let at = 0; at + 1 < symbols.length; at += 1) pairRanks.push(ranks.get(symbols[at] ?? 0, symbols[at + 1] ?? 0));
  for (;;) {
    let best = -1;
    let bestRank = Infinity;
    for (let at = 0; at < pairRanks.length; at += 1) {
      const rank = pairRanks[at] ?? -1;
      if (rank >= 0 && rank < bestRank) {
        best = at;
        bestRank = rank;
      }
    }
    if (best < 0) return symbols;
    const id = merged[bestRank] ?? 0;
    symbols[best] = id;
    symbols.splice(best + 1, 1);
    pairRanks.splice(best, 1);
    if (best > 0) pairRanks[best - 1] = ranks.get(symbols[best - 1] ?? 0, id);
    if (best < pairRanks.length) pairRanks[best] = ranks.get(id, symbols[best + 1] ?? 0);
  }
}

/** More than the symbols of any word, so that rank and place fit into one number that sorts by both. */
const PLACES = 2 ** 30;

function mergeLong(symbols: number[], ranks: PairTable, merged: Int32Array): number[] {
  const ids = Int32Array.from(symbols);
  const next = Int32Array.from(symbols, (_, at) => (at + 1 < symbols.length ? at + 1 : -1));
  const previous = Int32Array.from(symbols, (_, at) => at - 1);
  const queue: number[] = [];
  const ask = (at: number): void => {
    const after = next[at] ?? -1;
    const rank = after < 0 ? -1 : ranks.get(ids[at] ?? 0, ids[after] ?? 0);
    if (rank >= 0) push(queue, rank * PLACES + at);
  };
  for (let at = 0; at < ids.length; at += 1) ask(at);
  while (queue.length > 0) {
    const entry = pop(queue);
    const rank = Math.floor(entry / PLACES);
    const at = entry % PLACES;
    const after = next[at] ?? -1;
    // One of the two symbols has been merged since.
    if ((ids[at] ?? -1) < 0 || after < 0 || ranks.get(ids[at] ?? 0, ids[after] ?? 0) !== rank) continue;
    ids[at] = merged[rank] ?? 0;
    ids[after] = -1;
    const beyond = next[after] ?? -1;
    next[at] = beyond;
    if (beyond >= 0) previous[beyond] = at;
    const before = previous[at] ?? -1;
    if (before >= 0) ask(before);
    ask(at);
  }
  return Array.from(ids.filter((id) => id >= 0));
}

/** A binary heap, the least number on top. */
function push(heap: number[], value: number): void {
  let at = heap.length;
  heap.push(value);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] ?? 0;
    if (above <= value) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = value;
}

function pop(heap: number[]): number {
  const top = heap[0] ?? 0;
  const last = heap.pop() ?? 0;
  const size = heap.length;
  if (size === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child += 1;
    const below = heap[child] ?? 0;
    if (below >= last) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return top;
}
