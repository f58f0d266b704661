/**
 * Randomness is tied to the token: the noise of each token at each step is a hash of seed, step and token, and the token is drawn whose logit plus
 * Gumbel noise is greatest (Gumbel, 1954; the "Gumbel-max trick"). A batch that moves logits by a ten-thousandth therefore changes a draw
 * only where two tokens were that close; with a single random number on the scale of all weights it could land on any other token. The
 * mixing is splitmix32's, with the constants of Wellons' hash prospector.
 */
export class TokenNoise {
  readonly #seed: number;
  #step = 0;
  #base = 0;

  /** `seed` is an integer of up to 2^53. */
  constructor(seed: number) {
    this.#seed = mix((seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) >>> 0));
    this.#base = mix(this.#seed);
  }

  /** Goes on to the next token of the text. */
  next(): void {
    this.#step += 1;
    this.#base = mix(this.#seed ^ Math.imul(this.#step, 0x9e3779b1));
  }

  /** A number in (0, 1) of 32 bits. */
  of(token: number): number {
    return ((mix(this.#base ^ Math.imul(token + 1, 0x85ebca6b)) >>> 0) + 0.5) / 2 ** 32;
  }

  /** The token of `tokens` with the greatest (logit - most) / temperature + noise; `best` must be among them. */
  draw(
    tokens: Iterable<number>,
    { logits, best, temperature }: { logits: Float32Array; best: number; temperature: number },
  ): number {
    const most = logits[best] ?? 0;
    let drawn = best;
    let greatest = gumbel(this.of(best));
    for (const token of tokens) {
      const behind = greatest - ((logits[token] ?? 0) - most) / temperature;
      // Skips NaN and what no noise can lift; most other tokens are skipped by one comparison instead of two logarithms.
      if (!(behind < MOST_NOISE)) continue;
      const chance = this.of(token);
      if (behind > RARE_NOISE && chance < RARE_CHANCE) continue;
      const noise = gumbel(chance);
      if (noise <= behind || token === best) continue;
      greatest += noise - behind;
      drawn = token;
    }
    return drawn;
  }
}

/** The greatest noise that 32 bits give. */
const MOST_NOISE = 23;
/** Noise is above RARE_NOISE where its number is above RARE_CHANCE = exp(-exp(-RARE_NOISE)). */
const RARE_NOISE = 5;
const RARE_CHANCE = Math.exp(-Math.exp(-RARE_NOISE));

function gumbel(chance: number): number {
  return -Math.log(-Math.log(chance));
}

function mix(word: number): number {
  let mixed = (word + 0x9e3779b9) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return mixed ^ (mixed >>> 15);
}
