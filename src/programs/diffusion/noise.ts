import { mersenne } from 'pure-rand/generator/mersenne';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/**
 * Standard normal numbers from a seed, by Box and Muller's transform. Each ticket has its own generator, so its image does not depend on
 * the rest of the batch.
 */

const UINT32 = 2 ** 32;

/** An endless sequence of standard normal numbers, the same for equal seeds (safe integers, not negative). */
export function normalNumbers(seed: number): () => number {
  const next = uniformBits(seed);
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    // Never 0, whose logarithm is infinite.
    const radius = Math.sqrt(-2 * Math.log((next() + 1) / UINT32));
    const angle = (2 * Math.PI * next()) / UINT32;
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/** Noise arrays of one length, one after the other from the same seed. */
export function noiseSource(seed: number, length: number): () => Float32Array {
  const next = normalNumbers(seed);
  return () => Float32Array.from({ length }, next);
}

/** Integers from 0 to 2^32 - 1. The library's seeds have 32 bits: each half of ours gives half of the state, mixed so that close seeds share nothing. */
function uniformBits(seed: number): () => number {
  const low = mersenne(seed % UINT32);
  const high = mersenne(Math.floor(seed / UINT32));
  const generator = xoroshiro128plusFromState([low.next(), low.next(), high.next(), high.next()]);
  return () => generator.next() >>> 0;
}
