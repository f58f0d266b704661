import type { CompiledGrammar } from '../../grammar/compiled.ts';

/** What passes between the chat task and the program that generates: the ticket's parameters, its progress and its outputs. */

/** How the next token is chosen. Neutral values switch a part off. */
export interface Sampling {
  /** 0: always the likeliest token. */
  readonly temperature: number;
  /** Only the k likeliest; 0: all. */
  readonly topK: number;
  /** Only the likeliest that together have this probability; 1: all. */
  readonly topP: number;
  /** Only those at least this fraction as likely as the likeliest; 0: all. */
  readonly minP: number;
  /** Divides positive and multiplies negative logits of tokens of the prompt and the answer; 1: none. */
  readonly repetitionPenalty: number;
  /** Taken off the logits of tokens that the answer has already; 0: none. */
  readonly presencePenalty: number;
  /** Taken off once for each time that the answer has the token. */
  readonly frequencyPenalty: number;
  /** Added to logits: pairs of token and amount. */
  readonly logitBias: readonly (readonly [number, number])[];
  /** An integer of up to 2^53; equal seeds give equal answers. */
  readonly seed: number;
}

/** A ticket's parameters; its one input is `prompt`, INT32 [1, tokens]. */
export interface GenerationParameters {
  readonly sampling: Sampling;
  /** At most; 0: the prompt alone is computed. */
  readonly maxTokens: number;
  /** The answer ends with any of these, which is its last token. */
  readonly stopTokens: readonly number[];
  /** None of `stopTokens` is chosen before the answer has so many tokens; default: 0. */
  readonly minTokens?: number;
  /** What the answer must look like; undefined: any text. */
  readonly grammar?: CompiledGrammar;
  /** How many of the likeliest tokens are given with each token; undefined: no log probabilities at all. */
  readonly topLogprobs?: number;
  /** Log probabilities of the prompt's tokens too; goes with `topLogprobs`. */
  readonly promptLogprobs?: boolean;
}

/** A token's log probability by the model itself (the log softmax of its logits, before penalties, bias and temperature). */
export interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
  /** The likeliest, best first. */
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
}

/** What a run tells about a ticket that goes on. */
export interface GenerationProgress {
  readonly tokens: readonly number[];
  /** One for each of `tokens`, where asked for. */
  readonly logprobs?: readonly TokenLogprob[];
}

/**
 * Outputs of a ticket, in the order of the program's signature: `tokens` INT32 [1, n], the whole answer with the stop token that ended it,
 * if one did; where asked for, `logprobs` FP32 [1, n], `top_tokens` INT32 [1, n, top] and `top_logprobs` FP32 [1, n, top]; else those have no elements.
 * The last three are the same for the prompt's tokens from the second on, as nothing predicts the first.
 */
export const GENERATION_OUTPUTS = [
  ...(['tokens', 'logprobs', 'top_tokens', 'top_logprobs'] as const),
  ...(['prompt_logprobs', 'prompt_top_tokens', 'prompt_top_logprobs'] as const),
] as const;

/** Options of the program. */
export interface GenerationOptions {
  /** Most tokens of prompt and answer together. */
  readonly contextTokens: number;
  /** Most prompt tokens computed in one run, so that a long prompt does not hold up those who wait for their next token. */
  readonly prefillChunk: number;
  /** Memory for keys and values of all tickets on a lane. */
  readonly kvCacheBytes: number;
  /** Memory for keys and values of prompts and answers that have ended, for others that begin alike; 0: none. */
  readonly prefixCacheBytes: number;
  /** Where the text repeats itself, several tokens are computed in one run. */
  readonly drafts: boolean;
  /** From config.json, where the graph does not say. */
  readonly keyValueHeads?: number;
  readonly headSize?: number;
  /** Whether attention reaches back over a window that is shorter than the context. */
  readonly slidingWindow: boolean;
}
