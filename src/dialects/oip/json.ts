import { constants, isAscii, isUtf8 } from 'node:buffer';
import { messageOf, ServerError } from '../../errors.ts';
import { malformed } from './error.ts';

const SCANNED_CHARACTERS = 2 ** 20;
const MAX_CONTAINERS = 2 ** 21;
const MAX_DEPTH = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const INTEGER = /^-?\d+$/;

export type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON text read twice at most: as JSON.parse sees it, and with large integers kept exactly. */
export interface JsonDocument {
  readonly root: unknown;
  /**
   * The same document, where each integer that a double cannot hold is a string of its digits. A string at a place where
   * `root` has a number is thus one of these, whatever the client wrote.
   */
  exact(): unknown;
}

/** UTF-8 bytes as text; undefined if they are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // One byte a character: JSON.parse is quickest on such strings.
  if (isAscii(view)) return view.toString('latin1');
  return isUtf8(view) ? view.toString('utf8') : undefined;
}

/**
 * Reads a JSON body. Throws BAD_REQUEST if it is not JSON in UTF-8, TOO_LARGE if it is longer than a string can be.
 */
export function parseJson(bytes: Uint8Array): JsonDocument {
  if (bytes.byteLength > constants.MAX_STRING_LENGTH)
    throw new ServerError('TOO_LARGE', 'The JSON is larger than the server can read; send tensors in binary.');
  const text = utf8Text(bytes);
  if (text === undefined) throw malformed('failed to parse the request JSON: it is not valid UTF-8');
  boundContainers(text);
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    throw malformed(`failed to parse the request JSON: ${messageOf(error)}`);
  }
  let exact: { readonly root: unknown } | undefined;
  const readExactly = (): { readonly root: unknown } => ({ root: JSON.parse(quoteLargeIntegers(text)) });
  return { root, exact: () => (exact ??= readExactly()).root };
}

/**
 * Arrays and objects cost about twenty times their text in memory: a body of brackets within the server's limit could end
 * the process. Short texts cannot, and are not scanned.
 */
function boundContainers(text: string): void {
  if (text.length < SCANNED_CHARACTERS) return;
  let depth = 0;
  let containers = 0;
  let at = 0;
  while (at < text.length) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    if (character === OPEN_BRACKET || character === OPEN_BRACE) {
      depth += 1;
      containers += 1;
      if (depth > MAX_DEPTH || containers > MAX_CONTAINERS)
        throw malformed('failed to parse the request JSON: it holds too many arrays or objects');
    } else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) {
      depth -= 1;
    }
    at += 1;
  }
}

/** Puts integers beyond 2^53 in quotes. `text` must be valid JSON. */
function quoteLargeIntegers(text: string): string {
  const pieces: string[] = [];
  let copied = 0;
  let at = 0;
  while (at < text.length) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) {
      at = endOfString(text, at);
    } else if (character === MINUS || isDigit(character)) {
      const end = endOfNumber(text, at);
      const literal = text.slice(at, end);
      if (INTEGER.test(literal) && !Number.isSafeInteger(Number(literal))) {
        pieces.push(text.slice(copied, at), '"', literal, '"');
        copied = end;
      }
      at = end;
    } else {
      at += 1;
    }
  }
  pieces.push(text.slice(copied));
  return pieces.join('');
}

function isDigit(character: number): boolean {
  return character >= 0x30 && character <= 0x39;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Past the last character that a JSON number may hold: digits, sign, point, exponent. */
function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && '0123456789+-.eE'.includes(text.charAt(at))) at += 1;
  return at;
}
