import { constants, isAscii, isUtf8 } from 'node:buffer';
import { messageOf, ServerError } from './errors.ts';

/** Reads JSON from clients within bounds: a value costs time and memory wherever it goes. */

/** An object whose fields are not checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object: neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Most levels of nested arrays and objects. No task takes deeper inputs, and code that walks values by recursion must not run out of stack. */
export const MOST_DEPTH = 64;

/** Shorter texts are not scanned: they cannot hold enough to matter. */
const SCANNED_CHARACTERS = 2 ** 20;
/** Most arrays, objects and names of fields together: each takes about a hundred bytes of memory, however short its text. */
const MOST_PARTS = 1_000_000;

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The value of a JSON body. Throws BAD_REQUEST: not JSON in UTF-8, or nested more than 64 deep; TOO_LARGE: too many parts. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = jsonText(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ServerError('BAD_REQUEST', `The body is not valid JSON: ${messageOf(error)}.`);
  }
  if (isDeeper(value, MOST_DEPTH)) throw tooDeep();
  return value;
}

/** The object of a JSON body. Throws as `parseJson` does, and BAD_REQUEST for any other value. */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  const value = parseJson(bytes);
  if (isObject(value)) return value;
  throw new ServerError('BAD_REQUEST', 'The body must be a JSON object.');
}

/**
 * The text of a JSON body, not parsed yet. In a long text, parts and depth are counted. Throws BAD_REQUEST for bytes that are not UTF-8 or
 * are nested more than 64 deep, TOO_LARGE for more than `mostParts` parts or more text than a string can hold.
 */
export function jsonText(bytes: Uint8Array, mostParts = MOST_PARTS): string {
  if (bytes.byteLength > constants.MAX_STRING_LENGTH)
    throw new ServerError('TOO_LARGE', 'The JSON is larger than the server can read.');
  const text = utf8Text(bytes);
  if (text === undefined) throw new ServerError('BAD_REQUEST', 'The body is not valid JSON: it is not valid UTF-8.');
  if (text.length > SCANNED_CHARACTERS) checkParts(text, mostParts);
  // Some editors put a byte order mark in front.
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** UTF-8 bytes as text; undefined if they are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // One byte a character: JSON.parse is quickest on such strings.
  if (isAscii(view)) return view.toString('latin1');
  return isUtf8(view) ? view.toString('utf8') : undefined;
}

function checkParts(text: string, mostParts: number): void {
  let parts = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) {
      at = endOfString(text, at);
    } else if (character === COLON) {
      parts += 1;
    } else if (character === OPEN_BRACKET || character === OPEN_BRACE) {
      parts += 1;
      depth += 1;
      if (depth > MOST_DEPTH) throw tooDeep();
    } else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) {
      depth -= 1;
    }
    if (parts > mostParts)
      throw new ServerError('TOO_LARGE', `JSON may hold ${mostParts} arrays, objects and fields at most.`);
  }
}

/** The index of the quote that ends the string begun at `start`; the length of the text if there is none. */
export function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (text.charCodeAt(quote - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return quote;
  }
  return text.length;
}

function tooDeep(): ServerError {
  return new ServerError('BAD_REQUEST', `JSON may be nested ${MOST_DEPTH} deep at most.`);
}

/** Whether a value is nested more than `depth` deep. */
export function isDeeper(value: unknown, depth = MOST_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  for (const child of Array.isArray(value) ? (value as unknown[]) : Object.values(value))
    if (typeof child === 'object' && isDeeper(child, depth - 1)) return true;
  return false;
}

/** Far more than the parameters of any task need. */
const MOST_PARAMETER_VALUES = 4096;
const MOST_PARAMETER_CHARACTERS = 2 ** 20;
/** Takes about 30 ms to clone: a prompt of 128k token ids, or a conversation of ten thousand messages. */
const MOST_ITEM_VALUES = 200_000;

/** Throws INVALID_INPUT for parameters of more than 4,096 names and values, at all depths, or of more than a million UTF-16 units of text. */
export function checkParameters(parameters: Readonly<Record<string, unknown>>): void {
  if (countValues(parameters, MOST_PARAMETER_VALUES) > MOST_PARAMETER_VALUES)
    throw new ServerError(
      'INVALID_INPUT',
      `The parameters of a request may hold ${MOST_PARAMETER_VALUES} names and values at most.`,
    );
  if (countCharacters(parameters) > MOST_PARAMETER_CHARACTERS)
    throw new ServerError(
      'INVALID_INPUT',
      `The parameters of a request may hold ${MOST_PARAMETER_CHARACTERS} characters at most.`,
    );
}

/** UTF-16 units of the texts in JSON, names among them, at all depths. */
function countCharacters(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  for (const name in value) count += name.length + countCharacters((value as Readonly<Record<string, unknown>>)[name]);
  return count;
}

/** Throws TOO_LARGE for an item of more than 200,000 names and values. */
export function checkItemValue(value: unknown): void {
  if (countValues(value, MOST_ITEM_VALUES) > MOST_ITEM_VALUES)
    throw new ServerError('TOO_LARGE', `An item of this model may hold ${MOST_ITEM_VALUES} values at most.`);
}

/** Values in JSON at all depths; stops counting beyond `most`. */
export function countValues(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  if (Array.isArray(value) && value.length > most) return value.length;
  let count = 1;
  for (const name in value) {
    count += countValues((value as Readonly<Record<string, unknown>>)[name], most - count);
    if (count > most) break;
  }
  return count;
}
