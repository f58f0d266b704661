import { endOfString, jsonText } from '../../json.ts';
import { messageOf } from '../../errors.ts';
import { malformed } from './error.ts';

/**
 * JSON whose 64-bit integers are read exactly. `JSON.parse` rounds them to doubles, and only the text still has their digits (newer versions of Node hand
 * these to a reviver; version 20 does not, and a reviver takes seven times as long). So this file looks for numbers in the text, where `src/json.ts` counts parts.
 */

/** Rows of nested `data` are arrays: more of them than other bodies may have. */
const MOST_PARTS = 2 ** 21;

const QUOTE = 0x22;
const MINUS = 0x2d;
const INTEGER = /^-?\d+$/;

/** A JSON text that is parsed at most twice: as JSON.parse reads it, and with large integers kept exactly. */
export interface JsonDocument {
  readonly root: unknown;
  /**
   * The same document, where each integer that a double cannot hold is a string of its digits. A string at a place where
   * `root` has a number is thus one of these, whatever the client wrote.
   */
  exact(): unknown;
}

/** Reads a JSON body. Throws as `jsonText` does, and BAD_REQUEST if it is not JSON. The depth of a short one is not checked, as its reader takes known fields only. */
export function parseExactJson(bytes: Uint8Array): JsonDocument {
  const text = jsonText(bytes, MOST_PARTS);
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

/** Puts integers beyond 2^53 in quotes. `text` must be valid JSON. */
export function quoteLargeIntegers(text: string): string {
  const pieces: string[] = [];
  let copied = 0;
  let at = 0;
  while (at < text.length) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) {
      at = endOfString(text, at) + 1;
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

/** Past the last character that a JSON number may hold: digits, sign, point, exponent. */
function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && '0123456789+-.eE'.includes(text.charAt(at))) at += 1;
  return at;
}
