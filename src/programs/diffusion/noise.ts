/**
 * Standard normal numbers from a seed: xoshiro128++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021)
 * with Box and Muller's transform. Each ticket has a generator of its own, so what else is in a batch does not change its image.
 */

const UINT32 = 2 ** 32;

/** An endless row of standard normal numbers; the same for equal seeds (safe integers, not negative). */
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

/** xoshiro128++: 32 bits a call, as a number from 0 to 2^32 - 1. */
function uniformBits(seed: number): () => number {
  let [a, b, c, d] = spread(seed);
  return () => {
    const result = (rotate((a + d) | 0, 7) + a) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Four words of state in which every bit depends on the whole seed; near seeds must not start alike. */
function spread(seed: number): [number, number, number, number] {
  const low = seed >>> 0;
  const high = Math.floor(seed / UINT32) >>> 0;
  const word = (index: number): number => mix(mix(mix(low) ^ high) + Math.imul(index, 0x9e3779b9));
  // All four words 0 is the one state that yields nothing else.
  return [word(1), word(2), word(3), word(4) | 1];
}

/** MurmurHash3's finalizer: a change of one bit changes half of them. */
function mix(word: number): number {
  let value = word | 0;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
