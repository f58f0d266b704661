import { ServerError } from '../../errors.ts';
import type { Item } from '../task.ts';
import { TEXT_TYPES } from './text-input.ts';
import type { TextInput } from './encode.ts';

/** Readers of the items of text tasks. */

/** Texts of up to this many UTF-16 units take about half a millisecond to tokenise (measured: Latin 0.5 ms, Chinese 0.8 ms). */
const LIGHT_CHARACTERS = 400;

/** Whether the texts of an item are short enough to be tokenised on the main thread. */
export function isLightText(item: Item): boolean {
  if (item.kind === 'raw') return item.bytes.byteLength <= LIGHT_CHARACTERS;
  return lengthOf(item.value) <= LIGHT_CHARACTERS;
}

/** UTF-16 units in a value's texts, or numbers in it; objects and arrays of texts count one level deep. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  const parts: unknown[] = Array.isArray(value) ? value : Object.values(value);
  if (parts.length > LIGHT_CHARACTERS) return Infinity;
  let length = 0;
  for (const part of parts) length += typeof part === 'string' ? part.length : Array.isArray(part) ? part.length : 1;
  return length;
}

/** `"text"`, `{"text": ...}`, token ids, or a raw text. Throws INVALID_INPUT, BAD_REQUEST or UNSUPPORTED_MEDIA_TYPE. */
export function readTextInput(item: Item): TextInput {
  const value = item.kind === 'raw' ? rawText(item.contentType, item.bytes) : fieldOr(item.value, 'text');
  if (typeof value === 'string' || isIds(value)) return value;
  throw new ServerError(
    'INVALID_INPUT',
    'This model takes a text: a string, an array of token ids, or an object {"text": string}.',
  );
}

/** A text, or two to be classified together: `"text"`, `["a", "b"]`, `{"text", "text_pair"}`, or a raw text. Throws like `readTextInput`. */
export function readTextOrPair(item: Item): readonly [string] | readonly [string, string] {
  const value = item.kind === 'raw' ? rawText(item.contentType, item.bytes) : item.value;
  if (typeof value === 'string') return [value];
  const [text, pair] = Array.isArray(value) && value.length <= 2 ? value : textAndPair(value);
  if (typeof text === 'string' && (pair === undefined || pair === null)) return [text];
  if (typeof text === 'string' && typeof pair === 'string') return [text, pair];
  throw new ServerError(
    'INVALID_INPUT',
    'This model takes a text, two texts in an array, or an object {"text": string, "text_pair": string}.',
  );
}

/** The texts of `{"query", "text"}`. Throws INVALID_INPUT. */
export function readQueryAndText(item: Item): readonly [string, string] {
  if (item.kind === 'json' && typeof item.value === 'object' && item.value !== null) {
    const { query, text } = item.value as { query?: unknown; text?: unknown };
    if (typeof query === 'string' && typeof text === 'string') return [query, text];
  }
  throw new ServerError('INVALID_INPUT', 'This model takes an object {"query": string, "text": string}.');
}

function textAndPair(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const { text, text_pair: pair } = value as { text?: unknown; text_pair?: unknown };
  return [text, pair];
}

function fieldOr(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return value;
  return (value as Readonly<Record<string, unknown>>)[field];
}

function isIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === 'number');
}

function rawText(contentType: string, bytes: Uint8Array): string {
  if (!TEXT_TYPES.includes(contentType))
    throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'This model takes application/json and text/plain.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ServerError('BAD_REQUEST', 'The text is not valid UTF-8.');
  }
}
