import type { TokenVectors } from './pooling.ts';

/** Sparse vectors: pairs of index and value, [n, 2] by ascending index, one after the other. float32 holds any index of a vocabulary exactly. */

/** The pairs of a vector's numbers that are not 0. */
export function pairsOfVector({ values }: TokenVectors): Float32Array {
  const pairs: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? 0;
    if (value !== 0) pairs.push(index, value);
  }
  return Float32Array.from(pairs);
}

/**
 * The pairs of a text whose tokens have a weight each: the greatest of each token id, special tokens left out, as in BGE-M3's lexical weights.
 * https://github.com/FlagOpen/FlagEmbedding
 */
export function pairsOfWeights(ids: Int32Array, weights: Float32Array, unweighted: ReadonlySet<number>): Float32Array {
  const greatest = new Map<number, number>();
  for (const [at, id] of ids.entries()) {
    const weight = weights[at] ?? 0;
    if (weight > (greatest.get(id) ?? 0) && !unweighted.has(id)) greatest.set(id, weight);
  }
  return Float32Array.from([...greatest].sort(([one], [other]) => one - other).flat());
}
