/**
 * A ticket's own chance, told for each token at each step by a hash of seed, step and token: a token is drawn as the one whose logit plus
 * Gumbel noise is greatest (Gumbel, 1954; the "Gumbel-max trick"). Chance so clings to tokens, and a batch that moves logits by a
 * ten-thousandth changes a draw only where two tokens were that near; a single number walked along the sum of all weights would land on
 * another token altogether. The mixing is splitmix32's, with the constants of Wellons' hash prospector.
 */
export class TokenNoise {
  readonly #seed: number;
  #step = 0;
  #base = 0;

  /** `seed`: a whole number of up to 2^53. */
  constructor(seed: number) {
    this.#seed = mix((seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) >>> 0));
    this.#base = mix(this.#seed);
  }

  /** Goes on to the next token of the text. */
  next(): void {
    this.#step += 1;
    this.#base = mix(this.#seed ^ Math.imul(this.#step, 0x9e3779b1));
  }

  /** In (0, 1), 32 bits of it. */
  of(token: number): number {
    return ((mix(this.#base ^ Math.imul(token + 1, 0x85ebca6b)) >>> 0) + 0.5) / 2 ** 32;
  }

  /** The token with the greatest (logit - most) / temperature + noise of those that `tokens` names, `best` among them. */
  draw(
    tokens: Iterable<number>,
    { logits, best, temperature }: { logits: Float32Array; best: number; temperature: number },
  ): number {
    const most = logits[best] ?? 0;
    let drawn = best;
    let greatest = gumbel(this.of(best));
    for (const token of tokens) {
      const behind = greatest - ((logits[token] ?? 0) - most) / temperature;
      // NaN and what no noise can lift are passed over; of the rest, most by one comparison instead of two logarithms.
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
/** Noise above it is as rare as numbers above RARE_CHANCE = exp(-exp(-RARE_NOISE)). */
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
