import type { TokenLogprob } from '../../tasks/chat/generation.ts';
import { greatest } from './ranking.ts';

/** Log probabilities of tokens: their logits less the logarithm of the sum of all exponentials. */
export class LogSoftmax {
  readonly #logits: Float32Array;
  readonly #shift: number;
  readonly #ranked: readonly number[];

  /** `top`: how many of the likeliest are wanted with every token. Reads the logits now: they may be altered afterwards. */
  constructor(logits: Float32Array, top: number) {
    let most = -Infinity;
    for (const logit of logits) if (logit > most) most = logit;
    let sum = 0;
    for (const logit of logits) if (logit > -Infinity) sum += Math.exp(logit - most);
    this.#shift = most + Math.log(sum);
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
