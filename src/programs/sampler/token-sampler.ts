import type { Sampling } from '../../tasks/chat/generation.ts';
import { argmax, greatest } from './ranking.ts';
import { TokenNoise } from './token-noise.ts';

/** Sampling by temperature and seed alone. */
export function plainSampling(temperature: number, seed: number): Sampling {
  return {
    ...{ temperature, seed, topK: 0, topP: 1, minP: 0, logitBias: [] },
    ...{ repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
  };
}

/** Tokens that may be chosen. */
export interface Allowed {
  /** A bit for each token; those beyond its end may not be chosen. */
  readonly mask: Uint32Array;
  /** Further ones. */
  readonly also: readonly number[];
  /** Whether a token of these may be chosen after all. */
  readonly fits: (token: number) => boolean;
  /** The mask of those that fit; asked for when one was chosen that does not. */
  readonly fitting: () => Uint32Array;
}

/** Chooses the tokens of one answer, and remembers them for the penalties. */
export class TokenSampler {
  readonly #sampling: Sampling;
  readonly #noise: TokenNoise;
  /** Tokens of prompt and answer; kept only where a penalty asks. */
  readonly #seen: Set<number>;
  /** How often the answer has a token. */
  readonly #counts = new Map<number, number>();

  constructor(sampling: Sampling, prompt: Iterable<number>) {
    this.#sampling = sampling;
    this.#noise = new TokenNoise(sampling.seed);
    this.#seen = new Set(sampling.repetitionPenalty === 1 ? [] : prompt);
  }

  /** The next token from the logits [vocabulary], which are altered; of the allowed ones, where not all are. -1 when no logit is a number above -Infinity. */
  next(logits: Float32Array, allowed?: Allowed): number {
    this.#penalise(logits);
    this.#noise.next();
    if (allowed !== undefined) keepOnly(logits, allowed.mask, allowed.also);
    let token = this.#choose(logits);
    if (allowed !== undefined && token >= 0 && !allowed.fits(token)) {
      keepOnly(logits, allowed.fitting(), allowed.also);
      token = this.#choose(logits);
    }
    if (token < 0) return token;
    if (this.#sampling.repetitionPenalty !== 1) this.#seen.add(token);
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
    return token;
  }

  #choose(logits: Float32Array): number {
    const best = argmax(logits);
    // Below this, dividing by the temperature gives infinities, and the likeliest token has all the weight anyway.
    return best < 0 || this.#sampling.temperature < 1e-5 ? best : this.#draw(logits, best);
  }

  #penalise(logits: Float32Array): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, logitBias } = this.#sampling;
    for (const token of this.#seen) {
      const logit = logits[token] ?? 0;
      logits[token] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    }
    if (presencePenalty !== 0 || frequencyPenalty !== 0)
      for (const [token, count] of this.#counts)
        logits[token] = (logits[token] ?? 0) - presencePenalty - frequencyPenalty * count;
    for (const [token, amount] of logitBias) if (token < logits.length) logits[token] = (logits[token] ?? 0) + amount;
  }

  #draw(logits: Float32Array, best: number): number {
    const { temperature } = this.#sampling;
    return this.#noise.draw(this.#candidates(logits, logits[best] ?? 0), { logits, best, temperature });
  }

  /** Tokens that may be drawn, the likeliest always among them. */
  #candidates(logits: Float32Array, most: number): Iterable<number> {
    const { temperature, topK, topP, minP } = this.#sampling;
    // As a bound on logits, min_p needs no exponentials.
    const least = minP > 0 ? most + temperature * Math.log(minP) : -Infinity;
    const likelyEnough = (token: number): boolean => (logits[token] ?? 0) >= least;
    const fewer = topK > 0 && topK < logits.length;
    if (!fewer && topP >= 1) return minP > 0 ? filtered(logits.keys(), likelyEnough) : logits.keys();
    const ranked = fewer
      ? rankedOf(greatest(logits, topK), logits, { most, temperature })
      : head(logits, { topP, most, temperature });
    return (topP < 1 ? nucleus(ranked, topP) : ranked.tokens).filter(likelyEnough);
  }
}

/** Takes the logits of all other tokens away. */
function keepOnly(logits: Float32Array, mask: Uint32Array, also: readonly number[]): void {
  const kept = also.map((token) => logits[token] ?? 0);
  for (let from = 0; from < logits.length; from += 32) {
    const word = mask[from >> 5] ?? 0;
    if (word === 0) logits.fill(-Infinity, from, from + 32);
    else if (word !== 0xffffffff)
      for (let bit = 0; bit < 32; bit += 1) if (((word >>> bit) & 1) === 0) logits[from + bit] = -Infinity;
  }
  for (const [index, token] of also.entries()) logits[token] = kept[index] ?? 0;
}

function* filtered(tokens: Iterable<number>, keeps: (token: number) => boolean): Generator<number> {
  for (const token of tokens) if (keeps(token)) yield token;
}

/** Exponentials of less are negligible beside the likeliest token's 1: e^-40 is 4e-18. */
const NEGLIGIBLE = -40;

/** Reused by every draw, because an array of the vocabulary's size for each would keep the garbage collector busy. */
let scratch = new Float64Array(0);

interface Scale {
  readonly most: number;
  readonly temperature: number;
}

/** Each token's weight, 1 for the likeliest, and their sum. Valid until the next call. */
function weigh(logits: Float32Array, { most, temperature }: Scale): { weights: Float64Array; total: number } {
  if (scratch.length !== logits.length) scratch = new Float64Array(logits.length);
  let total = 0;
  for (let token = 0; token < logits.length; token += 1) {
    const logit = logits[token] ?? 0;
    const power = (logit - most) / temperature;
    const weight = power > NEGLIGIBLE ? Math.exp(power) : 0;
    scratch[token] = weight;
    total += weight;
  }
  return { weights: scratch, total };
}

/** Tokens, best first, with their weights and the sum of all weights that count. */
interface Ranked {
  readonly tokens: readonly number[];
  readonly weights: Float64Array;
  readonly total: number;
}

function rankedOf(tokens: readonly number[], logits: Float32Array, { most, temperature }: Scale): Ranked {
  if (scratch.length !== logits.length) scratch = new Float64Array(logits.length);
  let total = 0;
  for (const token of tokens) {
    const weight = Math.exp(((logits[token] ?? 0) - most) / temperature);
    scratch[token] = weight;
    total += weight;
  }
  return { tokens, weights: scratch, total };
}

/** The tokens above some logit that together have at least `topP` of all weight; few, so that few are sorted. */
function head(logits: Float32Array, { topP, most, temperature }: Scale & { readonly topP: number }): Ranked {
  const { weights, total } = weigh(logits, { most, temperature });
  for (let depth = 2; ; depth *= 2) {
    const least = Math.exp(-depth);
    const tokens: number[] = [];
    let mass = 0;
    for (let token = 0; token < weights.length; token += 1) {
      const weight = weights[token] ?? 0;
      if (weight < least || weight === 0) continue;
      tokens.push(token);
      mass += weight;
    }
    if (mass >= topP * total || depth > -NEGLIGIBLE) return { tokens: bestFirst(tokens, logits), weights, total };
  }
}

/** Room for a token's id beside 32 bits of its logit, within the 53 bits of a number. */
const ID_ROOM = 2 ** 21;

/** Tokens by falling logit, the lower id first among equals. They are sorted as plain numbers, in a tenth of the time that a comparison function takes. */
function bestFirst(tokens: readonly number[], logits: Float32Array): number[] {
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  const keys = Float64Array.from(tokens, (token) => {
    // Adding 0 turns -0 into 0.
    float[0] = (logits[token] ?? 0) + 0;
    const word = bits[0] ?? 0;
    // The bits of negative floats rise as the floats fall.
    const rising = word >= 2 ** 31 ? 2 ** 32 - 1 - word : word + 2 ** 31;
    return (2 ** 32 - 1 - rising) * ID_ROOM + token;
  });
  return Array.from(keys.sort(), (key) => key % ID_ROOM);
}

/** The shortest beginning that has at least `topP` of the weight; at least one token. */
function nucleus({ tokens, weights, total }: Ranked, topP: number): readonly number[] {
  let mass = 0;
  let count = 0;
  while (count < tokens.length && (count === 0 || mass < topP * total)) {
    mass += weights[tokens[count] ?? 0] ?? 0;
    count += 1;
  }
  return tokens.slice(0, count);
}
