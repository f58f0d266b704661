import { utf8Text } from './json.ts';

/** Finds the members of a JSON object without parsing their values: the body of a job is decoded by its operation, and parsing it twice would cost more than answering it. */

/** Where a value begins and ends in the bytes. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

const TAB = 0x09;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * The values of an object's members by name, as ranges of the bytes (UTF-8); of a repeated name the last counts, as with JSON.parse. Undefined if
 * the bytes are no object. Values are only delimited: whoever uses one parses it.
 */
export function jsonMembers(bytes: Uint8Array): ReadonlyMap<string, Range> | undefined {
  const members = new Map<string, Range>();
  let at = afterSpace(bytes, 0);
  if (bytes[at] !== OPEN_BRACE) return undefined;
  at = afterSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_BRACE) return isSpaceFrom(bytes, at + 1) ? members : undefined;
  for (;;) {
    const nameEnd = bytes[at] === QUOTE ? endOfString(bytes, at) : -1;
    const colon = nameEnd < 0 ? -1 : afterSpace(bytes, nameEnd);
    const name = nameEnd < 0 ? undefined : stringOf(bytes, at, nameEnd);
    if (name === undefined || bytes[colon] !== COLON) return undefined;
    const start = afterSpace(bytes, colon + 1);
    const end = endOfValue(bytes, start);
    if (end <= start) return undefined;
    members.set(name, { start, end });
    at = afterSpace(bytes, end);
    if (bytes[at] === CLOSE_BRACE) return isSpaceFrom(bytes, at + 1) ? members : undefined;
    if (bytes[at] !== COMMA) return undefined;
    at = afterSpace(bytes, at + 1);
  }
}

function stringOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return JSON.parse(utf8Text(bytes.subarray(start, end)) ?? '') as string;
  } catch {
    return undefined;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB;
}

function afterSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at += 1;
  return at;
}

function isSpaceFrom(bytes: Uint8Array, from: number): boolean {
  return afterSpace(bytes, from) >= bytes.byteLength;
}

/** After the quote that ends the string begun at `start`; -1 if there is none. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.byteLength; at += 1) {
    if (bytes[at] === BACKSLASH) at += 1;
    else if (bytes[at] === QUOTE) return at + 1;
  }
  return -1;
}

/** After the value that begins at `start`; -1 if it does not end. */
function endOfValue(bytes: Uint8Array, start: number): number {
  const first = bytes[start];
  if (first === QUOTE) return endOfString(bytes, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfNested(bytes, start);
  let at = start;
  while (at < bytes.byteLength && !isSpace(bytes[at]) && bytes[at] !== COMMA && bytes[at] !== CLOSE_BRACE) at += 1;
  return at;
}

function endOfNested(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.byteLength; at += 1) {
    const byte = bytes[at];
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    else if (byte === QUOTE) {
      at = endOfString(bytes, at) - 1;
      if (at < 0) return -1;
    }
    if (depth === 0) return at + 1;
  }
  return -1;
}
