import type { GenerationParameters, GenerationProgress, TokenLogprob } from '../../tasks/chat/generation.ts';
import { fromTypedArray, type Tensor } from '../../tensor.ts';
import { LogSoftmax } from './logprobs.ts';
import { Sampler } from './sampler.ts';

/** How it stands with an answer after a token: it goes on, it is whole, or the model gave no logits to choose by. */
export type RowState = 'more' | 'whole' | 'broken';

/** One ticket between its runs: its prompt, the answer so far, and how many of their tokens a cache holds. */
export class Row {
  readonly id: number;
  readonly prompt: Int32Array;
  readonly tokens: number[] = [];
  /** Tokens of prompt and answer whose keys and values are in a cache; kept by the bank that holds them. */
  cached = 0;
  readonly #parameters: GenerationParameters;
  readonly #stop: ReadonlySet<number>;
  readonly #sampler: Sampler;
  readonly #logprobs: TokenLogprob[] = [];
  #told = 0;

  constructor(id: number, prompt: Int32Array, parameters: GenerationParameters) {
    this.id = id;
    this.prompt = prompt;
    this.#parameters = parameters;
    this.#stop = new Set(parameters.stopTokens);
    this.#sampler = new Sampler(parameters.sampling, prompt);
  }

  get lastToken(): number {
    return this.tokens.at(-1) ?? 0;
  }

  /** The tokens of prompt and answer that a cache holds. */
  context(): Int32Array {
    if (this.cached <= this.prompt.length) return this.prompt.subarray(0, this.cached);
    const context = new Int32Array(this.cached);
    context.set(this.prompt);
    context.set(this.tokens.slice(0, this.cached - this.prompt.length), this.prompt.length);
    return context;
  }

  /** Chooses the next token by the logits [vocabulary], which are altered. */
  take(logits: Float32Array): RowState {
    const { topLogprobs, maxTokens } = this.#parameters;
    // Of the logits as the model gave them, before the sampler alters them.
    const softmax = topLogprobs === undefined ? undefined : new LogSoftmax(logits, topLogprobs);
    const token = this.#sampler.next(logits);
    if (token < 0) return 'broken';
    this.tokens.push(token);
    if (softmax !== undefined) this.#logprobs.push(softmax.of(token));
    return this.#stop.has(token) || this.tokens.length >= maxTokens ? 'whole' : 'more';
  }

  /** What came since the last time; undefined when nothing did. */
  tell(): GenerationProgress | undefined {
    if (this.#told === this.tokens.length) return undefined;
    const from = this.#told;
    this.#told = this.tokens.length;
    const tokens = this.tokens.slice(from);
    return this.#parameters.topLogprobs === undefined ? { tokens } : { tokens, logprobs: this.#logprobs.slice(from) };
  }

  /** The whole answer, in the order of GENERATION_OUTPUTS. */
  outputs(): Tensor[] {
    const count = this.#logprobs.length;
    const top = this.#parameters.topLogprobs ?? 0;
    const logprobs = Float32Array.from(this.#logprobs, ({ logprob }) => logprob);
    const topTokens = new Int32Array(count * top).fill(-1);
    const topLogprobs = new Float32Array(count * top).fill(-Infinity);
    for (const [index, { top: likeliest }] of this.#logprobs.entries()) {
      topTokens.set(
        likeliest.map(({ id }) => id),
        index * top,
      );
      topLogprobs.set(
        likeliest.map(({ logprob }) => logprob),
        index * top,
      );
    }
    return [
      fromTypedArray('INT32', [1, this.tokens.length], Int32Array.from(this.tokens)),
      fromTypedArray('FP32', [1, count], logprobs),
      fromTypedArray('INT32', [1, count, top], topTokens),
      fromTypedArray('FP32', [1, count, top], topLogprobs),
    ];
  }
}
