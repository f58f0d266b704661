import type { TokenModel } from './model.ts';
import { UNMARKED, unknownWord } from './model.ts';
import { PairTable } from './pair-table.ts';

/** Unigram (SentencePiece): the likeliest of all ways to cut a word into tokens. */
export interface UnigramOptions {
  /** Tokens with their log probabilities; the index is the id. */
  readonly vocabulary: readonly (readonly [string, number])[];
  readonly unknownId: number | undefined;
  /** Unknown characters become their bytes, written `<0xE5>`. */
  readonly byteFallback: boolean;
}

/** The log probability of a character without a token is this much below that of the least likely token. */
const UNKNOWN_PENALTY = 10;

/** The model of a vocabulary with log probabilities. Throws a plain Error if `unk_id` is not in the vocabulary. */
export function unigramModel({ vocabulary, unknownId, byteFallback }: UnigramOptions): TokenModel {
  if (unknownId !== undefined && unknownId >= vocabulary.length) throw new Error('unk_id is not in the vocabulary');
  const ids = new Map(vocabulary.map(([token], id) => [token, id]));
  const trie = new Trie(vocabulary.map(([token]) => token));
  const scores = Float64Array.from(vocabulary, ([, score]) => asReferenceReads(score));
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;
  const cut = { trie, scores, unknownScore, unknownId, ids };

  const tokenIds = (token: string): readonly number[] => {
    const id = ids.get(token);
    if (id !== undefined) return [id];
    const bytes = byteFallback
      ? Array.from(Buffer.from(token, 'utf8'), (byte) =>
          ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
        )
      : [undefined];
    if (bytes.every((byte) => byte !== undefined)) return bytes;
    if (unknownId === undefined) throw unknownWord(token);
    return [unknownId];
  };

  return { vocabulary: ids, marks: UNMARKED, encode: (word) => likeliest(word, cut).flatMap(tokenIds) };
}

/**
 * The number as the reference reads it: it first reads the digits as a whole number, so that with 17 digits the last bit may differ.
 * Between two equally likely cuts, that bit decides.
 */
function asReferenceReads(score: number): number {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d+)\.(\d+)$/.exec(String(score)) ?? [];
  if (whole.length + fraction.length <= EXACT_DIGITS) return score;
  const read = Number(BigInt(whole + fraction)) / 10 ** fraction.length;
  return sign === '-' ? -read : read;
}

/** Any number of this many digits is exact. */
const EXACT_DIGITS = 15;

interface Cut {
  readonly trie: Trie;
  readonly scores: Float64Array;
  readonly unknownScore: number;
  readonly unknownId: number | undefined;
  readonly ids: ReadonlyMap<string, number>;
}

/** The likeliest cut, by Viterbi's algorithm over the places of a word. Consecutive unknown characters are one token. */
function likeliest(word: string, { trie, scores, unknownScore, unknownId, ids }: Cut): string[] {
  const size = word.length;
  const best = new Float64Array(size + 1);
  const from = new Int32Array(size + 1).fill(-1);
  const tokens = new Int32Array(size + 1).fill(-1);
  for (let start = 0, step; start < size; start += step) {
    step = (word.codePointAt(start) ?? 0) > 0xffff ? 2 : 1;
    const soFar = best[start] ?? 0;
    let hasSingle = false;
    const reach = (end: number, score: number, id: number): void => {
      if (from[end] !== -1 && score <= (best[end] ?? 0)) return;
      best[end] = score;
      from[end] = start;
      tokens[end] = id;
    };
    for (let node = 0, at = start; at < size; at += 1) {
      node = trie.next(node, word.charCodeAt(at));
      if (node < 0) break;
      const token = trie.tokenAt(node);
      if (token < 0) continue;
      if (at + 1 - start === step) hasSingle = true;
      // Of a token that is listed twice, the last entry counts.
      reach(at + 1, (scores[token] ?? 0) + soFar, token);
    }
    if (hasSingle) continue;
    if (unknownId === undefined) throw unknownWord(word.slice(start, start + step));
    reach(start + step, unknownScore + soFar, unknownId);
  }
  return backwards(word, { from, tokens, fused: unknownId ?? ids.size });
}

function backwards(
  word: string,
  { from, tokens, fused }: { readonly from: Int32Array; readonly tokens: Int32Array; readonly fused: number },
): string[] {
  const parts: string[] = [];
  let fusedEnd = -1;
  for (let end = word.length; end > 0;) {
    const start = from[end] ?? 0;
    if (tokens[end] === fused) {
      if (fusedEnd < 0) fusedEnd = end;
    } else {
      if (fusedEnd >= 0) parts.push(word.slice(end, fusedEnd));
      fusedEnd = -1;
      parts.push(word.slice(start, end));
    }
    end = start;
  }
  if (fusedEnd >= 0) parts.push(word.slice(0, fusedEnd));
  return parts.reverse();
}

/** A trie of the tokens. */
class Trie {
  readonly #table: PairTable;
  readonly #tokens: Int32Array;

  constructor(tokens: readonly string[]) {
    const most = tokens.reduce((sum, token) => sum + token.length, 1);
    const table = new PairTable(countPrefixes(tokens, most));
    const ends = new Int32Array(most).fill(-1);
    let count = 1;
    for (const [id, token] of tokens.entries()) {
      let node = 0;
      for (let at = 0; at < token.length; at += 1) {
        let child = table.get(node, token.charCodeAt(at));
        if (child < 0) table.set(node, token.charCodeAt(at), (child = count++));
        node = child;
      }
      if (node > 0) ends[node] = id;
    }
    this.#table = table;
    this.#tokens = ends.slice(0, count);
  }

  /** The node after one more UTF-16 unit, or -1. Node 0 is the root. */
  next(node: number, unit: number): number {
    return this.#table.get(node, unit);
  }

  /** The token that ends at a node, or -1. */
  tokenAt(node: number): number {
    return this.#tokens[node] ?? -1;
  }
}

/** Counts the distinct prefixes of the tokens: in sorted order, each adds what it does not share with the one before. */
function countPrefixes(tokens: readonly string[], most: number): number {
  if (most < 1_000) return most;
  const sorted = [...tokens].sort();
  let count = 0;
  for (const [index, token] of sorted.entries()) {
    const before = sorted[index - 1] ?? '';
    let shared = 0;
    while (shared < token.length && token.charCodeAt(shared) === before.charCodeAt(shared)) shared += 1;
    count += token.length - shared;
  }
  return count;
}
