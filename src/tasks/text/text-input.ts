import { ServerError } from '../../errors.ts';
import type { Item } from '../task.ts';

/** Media types of a raw text. */
export const TEXT_TYPES: readonly string[] = ['text/plain'];

/** JSON can hold half a character ("\\ud800"); browsers also cut emoji in two. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * The text of an item: a JSON string, `{"text": string}`, or a raw UTF-8 body.
 * Throws UNSUPPORTED_MEDIA_TYPE, BAD_REQUEST (not UTF-8), TOO_LARGE (more than `maxCharacters` UTF-16 units) or INVALID_INPUT.
 */
export function readText(item: Item, maxCharacters: number): string {
  const text =
    item.kind === 'raw' ? rawText(item.contentType, item.bytes, maxCharacters) : jsonText(item.value, maxCharacters);
  if (text.trim() === '') throw new ServerError('INVALID_INPUT', 'The text is empty.');
  return text;
}

/** An upper bound of the length of an item's text in UTF-16 units; cheap to compute. */
export function textLength(item: Item): number {
  if (item.kind === 'raw') return item.bytes.byteLength;
  const value = textOf(item.value);
  return typeof value === 'string' ? value.length : 0;
}

function jsonText(value: unknown, maxCharacters: number): string {
  const text = textOf(value);
  if (typeof text === 'string') {
    // Before it is searched: a long one takes a second.
    if (text.length > maxCharacters) throw tooLong(maxCharacters);
    return text.replace(LONE_SURROGATE, '\ufffd');
  }
  throw new ServerError('INVALID_INPUT', 'This model takes a text: a string, or an object {"text": string}.');
}

function textOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'text')) return value;
  return (value as { text: unknown }).text;
}

function rawText(contentType: string, bytes: Uint8Array, maxCharacters: number): string {
  if (!TEXT_TYPES.includes(contentType))
    throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'This model takes application/json and text/plain.');
  // A UTF-16 unit takes at most 3 bytes in UTF-8.
  if (bytes.byteLength > 3 * maxCharacters) throw tooLong(maxCharacters);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ServerError('BAD_REQUEST', 'The text is not valid UTF-8.');
  }
  if (text.length > maxCharacters) throw tooLong(maxCharacters);
  return text;
}

function tooLong(maxCharacters: number): ServerError {
  return new ServerError('TOO_LARGE', `The text is longer than ${maxCharacters} characters.`);
}
