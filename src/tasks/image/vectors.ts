/** Vectors of images and texts. */

/** How the vectors of an image's parts become one: that of the class token, or the mean of all. */
export const POOLINGS = ['cls', 'mean'] as const;
export type ImagePooling = (typeof POOLINGS)[number];

/**
 * One vector from an output of one image: of [1, tokens, size] (transformers) the first token's or the mean, of [1, channels, height, width] (convolutions) the
 * mean of each channel, of anything else the values as they are.
 */
export function pooledVector(values: Float32Array, shape: readonly number[], pooling: ImagePooling): Float32Array {
  const [, first = values.length] = shape;
  if (shape.length === 4) return channelMeans(values, first);
  if (shape.length !== 3) return values;
  const size = shape[2] ?? values.length;
  return pooling === 'cls' ? values.slice(0, size) : tokenMean(values, size);
}

function channelMeans(values: Float32Array, channels: number): Float32Array {
  const area = values.length / channels;
  return Float32Array.from({ length: channels }, (_, channel) => {
    let sum = 0;
    for (let at = channel * area; at < (channel + 1) * area; at += 1) sum += values[at] ?? 0;
    return sum / area;
  });
}

function tokenMean(values: Float32Array, size: number): Float32Array {
  const sums = new Float64Array(size);
  for (const [at, value] of values.entries()) sums[at % size] = (sums[at % size] ?? 0) + value;
  const tokens = values.length / size;
  return Float32Array.from(sums, (sum) => sum / tokens);
}

/** The vector scaled to length 1; a vector of zeros stays. */
export function normalized(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? vector : vector.map((value) => value / length);
}
