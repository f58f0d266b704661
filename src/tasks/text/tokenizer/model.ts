import { ServerError } from '../../../errors.ts';

/** Turns words (the pieces that pre-tokenizers make) into ids. */
export interface TokenModel {
  /** Ids by token. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** The ids of a word. Throws INVALID_INPUT if the vocabulary has neither an id for it nor one for unknown words. */
  encode(word: string): readonly number[];
  /** Put before tokens that continue a word, and after those that end one; '' where there is none. */
  readonly marks: { readonly prefix: string; readonly suffix: string };
}

export const UNMARKED: TokenModel['marks'] = { prefix: '', suffix: '' };

/** The error for a word without an id, which the reference refuses too. */
export function unknownWord(word: string): ServerError {
  const shown = word.length > 40 ? `${word.slice(0, 40)}...` : word;
  return new ServerError('INVALID_INPUT', `The model's vocabulary has no token for "${shown}".`);
}
