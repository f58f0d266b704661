import type { Pooling } from '../../tasks/text/encoder-contract.ts';

/** Vectors of tokens, one after the other, each of `size` numbers. */
export interface TokenVectors {
  readonly values: Float32Array;
  readonly size: number;
}

/** The vectors of several poolings one after the other, as sentence-transformers sets them. */
export function poolAll(tokens: TokenVectors, poolings: readonly Pooling[]): TokenVectors {
  const [first] = poolings;
  if (first !== undefined && poolings.length === 1) return { values: poolTokens(tokens, first), size: tokens.size };
  const values = new Float32Array(tokens.size * poolings.length);
  for (const [index, pooling] of poolings.entries()) values.set(poolTokens(tokens, pooling), index * tokens.size);
  return { values, size: values.length };
}

/**
 * One vector of a text's token vectors, as sentence-transformers' Pooling module makes it: `mean-sqrt` divides the sum by the square
 * root of the number of tokens, `weighted-mean` weighs the k-th token (from 1) by k, `splade` is the greatest log(1 + relu(logit)) of each word of the vocabulary.
 */
function poolTokens({ values, size }: TokenVectors, pooling: Pooling): Float32Array {
  const count = values.length / size;
  switch (pooling) {
    case 'cls':
      return values.slice(0, size);
    case 'last':
      return values.slice((count - 1) * size);
    case 'max':
      return greatest({ values, size });
    case 'splade':
      // The logarithm rises with its argument, so the greatest logit has the greatest weight.
      return greatest({ values, size }).map((logit) => Math.log1p(Math.max(0, logit)));
    case 'mean':
      return sum({ values, size }, () => 1 / count);
    case 'mean-sqrt':
      return sum({ values, size }, () => 1 / Math.sqrt(count));
    case 'weighted-mean':
      return sum({ values, size }, (token) => (2 * (token + 1)) / (count * (count + 1)));
  }
}

function sum({ values, size }: TokenVectors, weightOf: (token: number) => number): Float32Array {
  // Double precision: thousands of tokens add up.
  const total = new Float64Array(size);
  for (let token = 0; token * size < values.length; token += 1) {
    const weight = weightOf(token);
    const start = token * size;
    for (let at = 0; at < size; at += 1) total[at] = (total[at] ?? 0) + weight * (values[start + at] ?? 0);
  }
  return Float32Array.from(total);
}

function greatest({ values, size }: TokenVectors): Float32Array {
  const most = values.slice(0, size);
  for (let at = size; at < values.length; at += 1)
    most[at % size] = Math.max(most[at % size] ?? -Infinity, values[at] ?? -Infinity);
  return most;
}

/** The vectors of the tokens with these indices. */
export function vectorsAt({ values, size }: TokenVectors, indices: readonly number[]): Float32Array {
  const kept = new Float32Array(indices.length * size);
  for (const [at, index] of indices.entries()) kept.set(values.subarray(index * size, (index + 1) * size), at * size);
  return kept;
}

/** Keeps the first `dimensions` numbers of each vector (all where undefined), then scales each to length 1 if asked. */
export function finishVectors(
  vectors: TokenVectors,
  {
    dimensions,
    normalize = false,
  }: { readonly dimensions?: number | undefined; readonly normalize?: boolean | undefined },
): TokenVectors {
  const cut = dimensions === undefined || dimensions >= vectors.size ? vectors : shortened(vectors, dimensions);
  if (!normalize) return cut;
  const { values, size } = cut;
  for (let start = 0; start < values.length; start += size) scale(values.subarray(start, start + size));
  return cut;
}

function shortened({ values, size }: TokenVectors, dimensions: number): TokenVectors {
  const short = new Float32Array((values.length / size) * dimensions);
  for (let from = 0, to = 0; from < values.length; from += size, to += dimensions)
    short.set(values.subarray(from, from + dimensions), to);
  return { values: short, size: dimensions };
}

/** Scales to length 1 in place; a vector of zeros stays. */
function scale(vector: Float32Array): void {
  let square = 0;
  for (const value of vector) square += value * value;
  const length = Math.sqrt(square);
  if (length === 0) return;
  for (let at = 0; at < vector.length; at += 1) vector[at] = (vector[at] ?? 0) / length;
}
