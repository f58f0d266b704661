import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Random numbers in (0, 1), the same for equal seeds on every machine. */
export function uniform(seed: number): () => number {
  const generator = xoroshiro128plus(seed);
  // Never 0, whose logarithm is infinite.
  return () => uniformFloat64(generator) + 2 ** -54;
}

/** Numbers from an exponential distribution of mean 1. */
export function exponential(random: () => number): number {
  return -Math.log(random());
}

/** Numbers from a gamma distribution of mean `shape` (Marsaglia and Tsang, 2000; below shape 1 by their power of a uniform number). */
export function gamma(shape: number, random: () => number): number {
  if (shape < 1) return gamma(shape + 1, random) * random() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(random()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
