import type { Sampling } from '../chat/generation.ts';

/** What passes between the tasks that make a text of a text and their program on the lanes. */

/** Which tokens may come next, in the words of transformers' generation config. Lengths count tokens of the text alone, without the token that starts it. */
export interface TokenRules {
  /** Divides positive and multiplies negative logits of tokens that the text has already; 1: none. */
  readonly repetitionPenalty: number;
  /** No run of so many tokens comes twice; 0: any may. */
  readonly noRepeatNgram: number;
  /** Runs of tokens that never come. */
  readonly badWords: readonly (readonly number[])[];
  /** None of `endTokens` comes before the text has so many tokens. */
  readonly minTokens: number;
  /** The first token. */
  readonly forcedFirst?: number;
  /** The last token of a text that reaches `maxTokens`, one of these. */
  readonly forcedLast: readonly number[];
  /** Never chosen, and never chosen first. */
  readonly suppress: readonly number[];
  readonly beginSuppress: readonly number[];
}

/** A beam search as transformers makes it. */
export interface BeamSearch {
  readonly beams: number;
  /** The score of a text is its log probability divided by its number of tokens to this power. */
  readonly lengthPenalty: number;
  /** Whether the search ends once it has as many texts as beams, or goes on while better ones are likely (false) or possible (`never`). */
  readonly earlyStopping: boolean | 'never';
  /** Log probabilities are made to add up to 1 again behind the rules. */
  readonly renormalize: boolean;
}

/** A ticket's parameters; its one input is `SOURCE`. */
export interface TextToTextParameters {
  /** The tokens that start the text in the decoder, and are no part of it. */
  readonly start: readonly number[];
  readonly maxTokens: number;
  /** The text ends with any of these, which is its last token. */
  readonly endTokens: readonly number[];
  readonly rules: TokenRules;
  /** How a token is chosen where there is no beam search. */
  readonly sampling: Sampling;
  readonly search?: BeamSearch;
}

/** INT32 [1, n]: the token ids that the encoder reads. */
export const SOURCE = 'source';
/** INT32 [1, n]: the text, with the token that ended it, if one did. */
export const TOKENS = 'tokens';

/** Options of the program. */
export interface TextToTextOptions {
  /** Memory for keys and values of all tickets on a lane. */
  readonly kvCacheBytes: number;
  readonly startTokens: readonly number[];
  readonly padId: number;
  readonly maxSourceTokens: number;
}
