import { GrammarError } from '../../grammar/grammar-error.ts';
import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { GenerationParameters, GenerationProgress, TokenLogprob } from '../../tasks/chat/generation.ts';
import { fromTypedArray, type Tensor } from '../../tensors/tensor.ts';
import { failed } from '../failure.ts';
import { LogSoftmax } from '../sampler/log-softmax.ts';
import { TokenSampler } from '../sampler/token-sampler.ts';
import { Constraint } from './constraint.ts';
import { Drafts, worthwhile } from './drafts.ts';
import type { LaneGrammars } from './grammars.ts';

/** The state of an answer after a token: it goes on, it is whole, or the model gave no logits to choose by. */
export type RowState = 'more' | 'whole' | 'broken';

/** A ticket between its runs: its prompt, the answer so far, and how many of their tokens a cache holds. */
export class Row {
  readonly id: number;
  readonly prompt: Int32Array;
  readonly tokens: number[] = [];
  /** Tokens of prompt and answer whose keys and values are in a cache; kept by the bank that holds them. */
  cached = 0;
  readonly #parameters: GenerationParameters;
  readonly #stop: ReadonlySet<number>;
  readonly #sampler: TokenSampler;
  readonly #constraint: Constraint | undefined;
  readonly #logprobs: TokenLogprob[] = [];
  readonly #promptLogprobs: TokenLogprob[] = [];
  readonly #drafts = new Drafts();
  #told = 0;

  constructor(id: number, prompt: Int32Array, parameters: GenerationParameters, grammars?: LaneGrammars) {
    this.id = id;
    this.prompt = prompt;
    this.#parameters = parameters;
    this.#stop = new Set(parameters.stopTokens);
    this.#sampler = new TokenSampler(parameters.sampling, prompt);
    const { grammar, stopTokens } = parameters;
    if (grammar !== undefined && grammars !== undefined)
      this.#constraint = new Constraint(grammars.of(grammar), stopTokens);
  }

  get lastToken(): number {
    return this.tokens.at(-1) ?? 0;
  }

  /** Whether the logits of all its positions are wanted, those of the prompt too; then nothing can be copied from other rows. */
  get wantsPrompt(): boolean {
    return this.#parameters.promptLogprobs === true;
  }

  /** A draft of the next tokens, which leaves room for one more behind it; empty where there is none. */
  draft(): readonly number[] {
    const draft = this.#drafts.next(this.prompt, this.tokens, this.#parameters.maxTokens - this.tokens.length - 1);
    return this.#constraint === undefined ? draft : worthwhile(this.#constraint.fitting(draft));
  }

  /** Of a draft of `drafted` tokens, the first `right` have been chosen. */
  judge(drafted: number, right: number): void {
    this.#drafts.judge(drafted, right);
  }

  /** The tokens of prompt and answer that a cache holds. */
  context(): Int32Array {
    if (this.cached <= this.prompt.length) return this.prompt.subarray(0, this.cached);
    const context = new Int32Array(this.cached);
    context.set(this.prompt);
    context.set(this.tokens.slice(0, this.cached - this.prompt.length), this.prompt.length);
    return context;
  }

  /** Takes the logits of prompt tokens from position `from` on; each predicts the token behind it. */
  takePrompt(logits: readonly Float32Array[], from: number): void {
    for (const [index, own] of logits.entries()) {
      const next = this.prompt[from + index + 1];
      if (next !== undefined)
        this.#promptLogprobs.push(new LogSoftmax(own, this.#parameters.topLogprobs ?? 0).of(next));
    }
  }

  /** Chooses the next token by the logits [vocabulary], which are altered. */
  take(logits: Float32Array): RowState {
    const { topLogprobs, maxTokens, minTokens = 0 } = this.#parameters;
    if (maxTokens === 0) return 'whole';
    // From the model's own logits, before the sampler alters them.
    const softmax = topLogprobs === undefined ? undefined : new LogSoftmax(logits, topLogprobs);
    if (this.tokens.length < minTokens) for (const token of this.#stop) logits[token] = -Infinity;
    const token = this.#next(logits);
    if (token < 0) return 'broken';
    // Of an answer that was cut, the end is not the model's own.
    if (this.#constraint?.cut === true && this.#stop.has(token)) return 'whole';
    this.tokens.push(token);
    if (softmax !== undefined) this.#logprobs.push(softmax.of(token));
    if (this.#constraint?.over === true) return this.#endByGrammar(this.#constraint);
    return this.#stop.has(token) || this.tokens.length >= maxTokens ? 'whole' : 'more';
  }

  #next(logits: Float32Array): number {
    if (this.#constraint === undefined) return this.#sampler.next(logits);
    return this.#constraint.next(this.#sampler, logits, this.#parameters.maxTokens - this.tokens.length - 1);
  }

  /** Nothing but the end can come: it needs no further run. */
  #endByGrammar({ cut }: Constraint): RowState {
    const [end] = this.#stop;
    if (end !== undefined && !cut && this.tokens.length < this.#parameters.maxTokens) this.tokens.push(end);
    return 'whole';
  }

  /** The tokens since the last call; undefined when there are none. */
  tell(): GenerationProgress | undefined {
    if (this.#told === this.tokens.length) return undefined;
    const from = this.#told;
    this.#told = this.tokens.length;
    const tokens = this.tokens.slice(from);
    return this.#parameters.topLogprobs === undefined ? { tokens } : { tokens, logprobs: this.#logprobs.slice(from) };
  }

  /** The whole answer, in the order of GENERATION_OUTPUTS. */
  outputs(): Tensor[] {
    const top = this.#parameters.topLogprobs ?? 0;
    return [
      fromTypedArray('INT32', [1, this.tokens.length], Int32Array.from(this.tokens)),
      ...logprobTensors(this.#logprobs, top),
      ...logprobTensors(this.#promptLogprobs, top),
    ];
  }
}

/** The outcome of a row's ticket, by the logits of its last token, which are altered. */
export function outcomeOf(row: Row, logits: Float32Array | undefined): TicketOutcome {
  let state: RowState;
  try {
    state = logits === undefined ? 'broken' : row.take(logits);
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    return { ok: false, code: 'INVALID_INPUT', message: `The answer cannot be held to its form: ${error.message}.` };
  }
  if (state === 'more') return { ok: true, more: true };
  if (state === 'whole') return { ok: true, outputs: row.outputs() };
  return failed('no logit is a number');
}

/** Log probabilities as three tensors: of the tokens [1, n], the likeliest tokens [1, n, top], and theirs. */
function logprobTensors(all: readonly TokenLogprob[], top: number): Tensor[] {
  const count = all.length;
  const topTokens = new Int32Array(count * top).fill(-1);
  const topLogprobs = new Float32Array(count * top).fill(-Infinity);
  for (const [index, { top: likeliest }] of all.entries())
    for (const [place, { id, logprob }] of likeliest.entries()) {
      topTokens[index * top + place] = id;
      topLogprobs[index * top + place] = logprob;
    }
  return [
    fromTypedArray(
      'FP32',
      [1, count],
      Float32Array.from(all, ({ logprob }) => logprob),
    ),
    fromTypedArray('INT32', [1, count, top], topTokens),
    fromTypedArray('FP32', [1, count, top], topLogprobs),
  ];
}
