/**
 * A ticket's own random numbers: sfc32 (Chris Doty-Humphrey, PractRand), seeded through splitmix32. Small, quick, and the same on every
 * machine, so that a seed means the same answer wherever and beside whomever it runs. Gives numbers of 32 random bits in [0, 1).
 */
export function randomNumbers(seed: number): () => number {
  let mixed = (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32) >>> 0, 0x9e3779b1);
  const mix = (): number => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return word ^ (word >>> 15);
  };
  let [a, b, c, counter] = [mix(), mix(), mix(), 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // The first few still show the seed.
  for (let skipped = 0; skipped < 12; skipped += 1) next();
  return next;
}
