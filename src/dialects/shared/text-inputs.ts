import { ServerError } from '../../errors.ts';
import type { Fields } from './fields.ts';

/** A text, or the token ids of one. */
export type TextInput = string | readonly number[];

export interface TextInputs {
  readonly inputs: readonly TextInput[];
  /** They came as a list; else there is one. */
  readonly isList: boolean;
}

/**
 * A text, token ids, or a list of both. Throws an error that names the field: nothing in it, something else than texts and ids; TOO_LARGE
 * for more than `itemLimit`.
 */
export function readTextInputs(fields: Fields, name: string, itemLimit: number): TextInputs {
  const value = fields.required(name);
  if (typeof value === 'string') return { inputs: [value], isList: false };
  if (!Array.isArray(value)) throw fields.typeError(name, 'a string or an array');
  if (value.length === 0) throw emptyInput(name);
  if (isTokenIds(value)) return { inputs: [value], isList: false };
  checkCount(value.length, itemLimit);
  const wrong = value.findIndex((one) => typeof one !== 'string' && !isTokenIds(one));
  if (wrong >= 0) throw fields.typeError(`${name}[${wrong}]`, 'a string or an array of token ids');
  return { inputs: value as TextInput[], isList: true };
}

/** A list of texts, not empty. */
export function readTexts(fields: Fields, name: string, itemLimit: number): readonly string[] {
  const value = fields.required(name);
  if (!Array.isArray(value)) throw fields.typeError(name, 'an array of strings');
  if (value.length === 0) throw emptyInput(name);
  checkCount(value.length, itemLimit);
  const wrong = value.findIndex((one) => typeof one !== 'string');
  if (wrong >= 0) throw fields.typeError(`${name}[${wrong}]`, 'a string');
  return value as string[];
}

export function isTokenIds(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => Number.isSafeInteger(id) && Number(id) >= 0);
}

export function emptyInput(name: string): ServerError {
  return new ServerError('BAD_REQUEST', `\`${name}\` cannot be empty`, { param: name, reason: 'empty_input' });
}

/** TEI's clients know this text. */
export function checkCount(count: number, itemLimit: number): void {
  if (count > itemLimit)
    throw new ServerError('TOO_LARGE', `batch size ${count} > maximum allowed batch size ${itemLimit}`);
}
