import { ServerError } from '../../../errors.ts';

/** What makes a word (a piece that pre-tokenizers left) into ids. */
export interface TokenModel {
  /** Ids by token. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Throws INVALID_INPUT where the vocabulary has no id for the word, nor one for what is unknown. */
  encode(word: string): readonly number[];
}

/** The error of a word without an id, as the reference refuses it too. */
export function unknownWord(word: string): ServerError {
  const shown = word.length > 40 ? `${word.slice(0, 40)}...` : word;
  return new ServerError('INVALID_INPUT', `The model's vocabulary has no token for "${shown}".`);
}
