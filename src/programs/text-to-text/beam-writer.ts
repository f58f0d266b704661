import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { BeamSearch, TextToTextParameters } from '../../tasks/text-to-text/work.ts';
import { IS_DONE, type Writer } from '../encoder-decoder/cohort.ts';
import { failed } from '../failure.ts';
import { logSumExp } from '../sampler/log-softmax.ts';
import { greatest } from '../sampler/ranking.ts';
import { textOutcome } from './plain-writer.ts';
import { applyRules } from './token-mask.ts';

/** A text with the sum of its tokens' log probabilities, or, once it is finished, its score. */
interface Beam {
  readonly context: readonly number[];
  readonly score: number;
}

/** A beam that is one token longer. */
interface Candidate extends Beam {
  /** The beam that it comes from. */
  readonly from: number;
  readonly ends: boolean;
}

/**
 * Writes a text by beam search: the likeliest few texts go on side by side, each in a row of its own. The rules by which texts are finished, kept and compared are those of transformers
 * (generation/utils.py, `_beam_search`), for one source.
 */
export class BeamWriter implements Writer {
  readonly id: number;
  readonly #parameters: TextToTextParameters;
  readonly #search: BeamSearch;
  #beams: readonly Beam[];
  /** As many as beams at most, the best first. */
  #finished: readonly Beam[] = [];

  constructor(id: number, parameters: TextToTextParameters, search: BeamSearch) {
    this.id = id;
    this.#parameters = parameters;
    this.#search = search;
    this.#beams = [{ context: parameters.start, score: 0 }];
  }

  get last(): readonly number[] {
    return this.#beams.map(({ context }) => context.at(-1) ?? 0);
  }

  take(logits: readonly Float32Array[]): readonly number[] {
    const candidates = this.#candidates(logits);
    const going = candidates.filter(({ ends }) => !ends).slice(0, this.#search.beams);
    this.#finish(candidates.slice(0, this.#search.beams).filter(({ ends }) => ends));
    this.#beams = going;
    return going.length === 0 || this.#isOver() ? IS_DONE : going.map(({ from }) => from);
  }

  outcome(): TicketOutcome {
    const [best] = this.#finished;
    if (best === undefined) return failed('no logit is a number');
    return textOutcome(best.context.slice(this.#parameters.start.length));
  }

  /** The likeliest texts with one token more, best first: so many that at least as many as beams do not end, whichever tokens end a text. */
  #candidates(logits: readonly Float32Array[]): Candidate[] {
    const { endTokens } = this.#parameters;
    const count = Math.max(2, 1 + endTokens.length) * this.#search.beams;
    return this.#beams
      .flatMap((beam, from) => this.#longer(beam, from, { logits: logits[from] ?? new Float32Array(0), count }))
      .sort((one, other) => other.score - one.score)
      .slice(0, count);
  }

  #longer(
    { context, score }: Beam,
    from: number,
    { logits, count }: { readonly logits: Float32Array; readonly count: number },
  ): Candidate[] {
    const { start, endTokens, maxTokens } = this.#parameters;
    const sum = logSumExp(logits);
    for (let token = 0; token < logits.length; token += 1) logits[token] = (logits[token] as number) - sum;
    applyRules(logits, context, { ...this.#parameters, started: start.length });
    const again = this.#search.renormalize ? logSumExp(logits) : 0;
    const isFull = context.length - start.length + 1 >= maxTokens;
    return greatest(logits, count).map((token) => ({
      from,
      context: [...context, token],
      score: score + (logits[token] as number) - again,
      ends: isFull || endTokens.includes(token),
    }));
  }

  /** Takes in texts that have ended. */
  #finish(ended: readonly Candidate[]): void {
    const { beams, lengthPenalty } = this.#search;
    const scored = ended.map(({ context, score }) => ({
      context,
      score: score / this.#length(context) ** lengthPenalty,
    }));
    this.#finished = [...this.#finished, ...scored].sort((one, other) => other.score - one.score).slice(0, beams);
  }

  /** Whether there are texts enough, and none of those that go on is likely to be better. */
  #isOver(): boolean {
    const { beams, earlyStopping, lengthPenalty } = this.#search;
    const [best] = this.#beams;
    const worst = this.#finished[beams - 1];
    if (worst === undefined || best === undefined) return false;
    if (earlyStopping === true) return true;
    const length =
      earlyStopping === 'never' && lengthPenalty > 0 ? this.#parameters.maxTokens : this.#length(best.context);
    return best.score / length ** lengthPenalty <= worst.score;
  }

  #length(context: readonly number[]): number {
    return context.length - this.#parameters.start.length;
  }
}
