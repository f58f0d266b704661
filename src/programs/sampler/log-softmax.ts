import type { TokenLogprob } from '../../tasks/chat/generation.ts';
import { argmax, greatest } from './ranking.ts';

/** Terms this far below the greatest are left out: a hundred thousand of them change the sum by a millionth at most. */
const NEGLIGIBLE = 25;

/** e^-x at every 64th of a unit. Math.exp takes four times as long as a term of it and a short series (logSumExp). */
const STEPS = 64;
const POWERS = Float64Array.from({ length: NEGLIGIBLE * STEPS + 1 }, (_, step) => Math.exp(-step / STEPS));

/** log(sum(exp)) of a range; -Infinity where nothing in it is above that. NaN counts as nothing. */
export function logSumExp(logits: Float32Array, from = 0, to = logits.length): number {
  const best = argmax(logits, from, to);
  if (best < 0) return -Infinity;
  const most = logits[best] as number;
  let sum = 0;
  for (let at = from; at < to; at += 1) {
    const below = most - (logits[at] as number);
    if (!(below < NEGLIGIBLE)) continue;
    const step = (below * STEPS) | 0;
    // Less than 1/64 of a unit is left, so that the series is exact to 3e-9 of the term.
    const left = step / STEPS - below;
    sum += (POWERS[step] as number) * (1 + left * (1 + left * (1 / 2 + left / 6)));
  }
  return most + Math.log(sum);
}

/** Log probabilities of tokens: their logits less the logarithm of the sum of all exponentials. */
export class LogSoftmax {
  readonly #logits: Float32Array;
  readonly #shift: number;
  readonly #ranked: readonly number[];

  /** `top`: how many of the likeliest are wanted with every token. Reads the logits now: they may be altered afterwards. */
  constructor(logits: Float32Array, top: number) {
    this.#shift = logSumExp(logits);
    this.#ranked = greatest(logits, top);
    this.#logits = logits.slice();
  }

  of(id: number): TokenLogprob {
    const top = this.#ranked.map((other) => ({ id: other, logprob: this.#logprob(other) }));
    return { id, logprob: this.#logprob(id), top };
  }

  #logprob(id: number): number {
    return (this.#logits[id] ?? -Infinity) - this.#shift;
  }
}
