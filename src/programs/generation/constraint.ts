import type { Grammar } from '../../grammar/matcher.ts';
import { Matcher } from '../../grammar/matcher.ts';
import type { TokenSampler } from '../sampler/token-sampler.ts';

/** What holds one answer to its grammar. */
export class Constraint {
  readonly #matcher: Matcher;
  readonly #stop: readonly number[];
  #cut = false;

  /** `stop`: tokens that end the answer, where the grammar lets it end. */
  constructor(grammar: Grammar, stop: readonly number[]) {
    this.#matcher = new Matcher(grammar);
    this.#stop = stop;
  }

  /** A token was refused because the answer could not have ended in time behind it: the answer is shorter than the model would have it. */
  get cut(): boolean {
    return this.#cut;
  }

  /** The answer can only end here. */
  get over(): boolean {
    return this.#matcher.over;
  }

  /**
   * Chooses the next token by the logits [vocabulary], which are altered: one that the grammar allows, behind which `left` more tokens are enough to end the answer. -1 when no
   * such logit is a number above -Infinity. Throws GrammarError.
   */
  next(sampler: TokenSampler, logits: Float32Array, left: number): number {
    const ends = this.#matcher.whole ? this.#stop : [];
    const token = sampler.next(logits, {
      mask: this.#matcher.mask(),
      also: ends,
      fits: (chosen) => ends.includes(chosen) || this.#matcher.endsWithin(chosen, left),
      fitting: () => {
        this.#cut = true;
        return this.#matcher.maskWithin(left);
      },
    });
    if (token >= 0 && !ends.includes(token)) this.#matcher.take(token);
    return token;
  }

  /** The beginning of a draft that the grammar allows. */
  fitting(draft: readonly number[]): readonly number[] {
    const count = this.#matcher.accepted(draft);
    return count === draft.length ? draft : draft.slice(0, count);
  }
}
