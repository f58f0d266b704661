import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { GenerationProgress } from '../../tasks/chat/generation.ts';
import type { TextToTextParameters } from '../../tasks/text-to-text/work.ts';
import { fromTypedArray } from '../../tensors/tensor.ts';
import { GOES_ON, IS_DONE, type Writer } from '../encoder-decoder/cohort.ts';
import { failed } from '../failure.ts';
import { TokenSampler } from '../sampler/token-sampler.ts';
import { applyRules } from './token-mask.ts';

/** Writes a text token by token: the likeliest each time, or a drawn one. */
export class PlainWriter implements Writer {
  readonly id: number;
  readonly #parameters: TextToTextParameters;
  readonly #sampler: TokenSampler;
  /** What the decoder has read: the start, and the text. */
  readonly #context: number[];
  #told = 0;
  #isBroken = false;

  constructor(id: number, parameters: TextToTextParameters) {
    this.id = id;
    this.#parameters = parameters;
    this.#sampler = new TokenSampler(parameters.sampling, []);
    this.#context = [...parameters.start];
    this.#told = this.#context.length;
  }

  get last(): readonly number[] {
    return this.#context.slice(-1);
  }

  take([logits = new Float32Array(0)]: readonly Float32Array[]): readonly number[] {
    const { start, endTokens, maxTokens } = this.#parameters;
    applyRules(logits, this.#context, { ...this.#parameters, started: start.length });
    const token = this.#sampler.next(logits);
    this.#isBroken = token < 0;
    if (this.#isBroken) return IS_DONE;
    this.#context.push(token);
    const isDone = endTokens.includes(token) || this.#context.length - start.length >= maxTokens;
    return isDone ? IS_DONE : GOES_ON;
  }

  /** The tokens since the last call; undefined where there are none. */
  tell(): GenerationProgress | undefined {
    const tokens = this.#context.slice(this.#told);
    this.#told = this.#context.length;
    return tokens.length === 0 ? undefined : { tokens };
  }

  outcome(): TicketOutcome {
    return this.#isBroken
      ? failed('no logit is a number')
      : textOutcome(this.#context.slice(this.#parameters.start.length));
  }
}

/** The outcome of a ticket whose text is written. */
export function textOutcome(tokens: readonly number[]): TicketOutcome {
  return { ok: true, outputs: [fromTypedArray('INT32', [1, tokens.length], Int32Array.from(tokens))] };
}
