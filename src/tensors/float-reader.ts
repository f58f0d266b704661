import { elementCount } from './tensor.ts';

/**
 * Float32 numbers from the bytes of a JSON text, without strings, objects or doubles in between: two to three times as fast as `JSON.parse`, and the same
 * numbers to the last bit. What is not plainly right is left to `JSON.parse`, which also words the errors.
 */

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
/** Of a capital letter and a small one. */
const SMALL_E = 0x65;
const COMMA = 0x2c;
const SPACE = 0x20;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Four digits, as a word, have these upper halves; and no more than nine in the lower. */
const HIGH_NIBBLES = 0xf0f0f0f0 | 0;
const ZEROS = 0x30303030;
const SIXES = 0x06060606;
/** Powers of ten that a double holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);
const MOST_EXPONENT = 22;
/** Longer numbers are left to `Number`. */
const MOST_CHARACTERS = 40;
/**
 * A bound of the relative error of what is computed: each digit beyond 2^53 takes two roundings of 2^-53, and scaling two more. Where the numbers at both ends of
 * that range round to the same float32, so does the number in the text.
 */
const ERROR = 2 ** -46;
/** Numbers from here on round to infinity, which JSON does not have. */
const OVERFLOW = (2 - 2 ** -24) * 2 ** 127;

/** The form of an array of numbers: nested `nesting` deep as the first dimensions of `shape`, with all other dimensions in the innermost arrays. */
export interface ArrayForm {
  readonly shape: readonly number[];
  /** From 1 to the number of dimensions. */
  readonly nesting: number;
}

/** How deep the array is nested that begins at `start`, as its first brackets say. */
export function nestingAt(bytes: Uint8Array, start: number): number {
  let nesting = 0;
  for (let at = start; bytes[at] === OPEN_BRACKET; at = skipSpace(bytes, at + 1)) nesting += 1;
  return nesting;
}

/**
 * Fills `out` with the array that begins with the bracket at `start`. Gives its end, after the bracket, or -1 if it is not of that form, or holds anything but
 * numbers that a float32 can hold; then `out` holds anything.
 */
export function readFloatArray(bytes: Uint8Array, start: number, form: ArrayForm, out: Float32Array): number {
  if (out.length === 0) return -1;
  const text = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
  return readLevel(text, start, { ...form, depth: 0, out });
}

/**
 * The arrays of a list that begins with the bracket at `start`, each of the shape and nested as that; undefined if the list does not end at `end`, or one of them
 * is not read, or there are none, or more than `most`.
 */
export function readFloatArrays(
  bytes: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  shape: readonly number[],
  most: number,
): Float32Array[] | undefined {
  const count = elementCount(shape);
  const arrays: Float32Array[] = [];
  let at = start;
  do {
    // Each number takes a digit and a comma or bracket.
    if (arrays.length + 1 > most || count > (end - at) / 2) return undefined;
    const array = new Float32Array(count);
    at = readFloatArray(bytes, skipSpace(bytes, at + 1), { shape, nesting: shape.length }, array);
    if (at < 0) return undefined;
    arrays.push(array);
    at = skipSpace(bytes, at);
  } while (bytes[at] === COMMA);
  return bytes[at] === CLOSE_BRACKET && at + 1 === end ? arrays : undefined;
}

interface Text {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

interface Level extends ArrayForm {
  readonly depth: number;
  readonly out: Float32Array;
}

function readLevel(text: Text, start: number, level: Level): number {
  const { shape, nesting, depth, out } = level;
  const { bytes } = text;
  if (bytes[start] !== OPEN_BRACKET) return -1;
  if (depth + 1 === nesting) return readRow(text, start + 1, out);
  const size = shape[depth] ?? 0;
  const below = out.length / size;
  let at = start;
  for (let child = 0; child < size; child += 1) {
    const part = out.subarray(child * below, (child + 1) * below);
    at = readLevel(text, skipSpace(bytes, at + 1), { ...level, depth: depth + 1, out: part });
    if (at < 0) return -1;
    at = skipSpace(bytes, at);
    if (bytes[at] !== (child + 1 < size ? COMMA : CLOSE_BRACKET)) return -1;
  }
  return at + 1;
}

/** Fills `out` with the numbers from `start` on, up to a bracket. */
// eslint-disable-next-line complexity -- calls for each part of a number take one and a half times as long
function readRow({ bytes, view }: Text, start: number, out: Float32Array): number {
  const lastWord = bytes.length - 4;
  let at = start;
  for (let index = 0; index < out.length; index += 1) {
    const begin = skipSpace(bytes, at);
    const first = bytes[begin] === MINUS ? begin + 1 : begin;
    let size = 0;
    let digit = 0;
    for (at = first; (digit = (bytes[at] as number) - ZERO) >= 0 && digit < 10; at += 1) size = size * 10 + digit;
    // No digits, or a zero in front of others.
    if (at === first || (bytes[first] === ZERO && at > first + 1)) return -1;
    let exponent = 0;
    if (bytes[at] === POINT) {
      const fraction = (at += 1);
      for (; at <= lastWord; at += 4) {
        const word = view.getInt32(at, true);
        if (((word & HIGH_NIBBLES) ^ ZEROS) | (((word + SIXES) & HIGH_NIBBLES) ^ ZEROS)) break;
        const tens = word & 0x0f0f0f0f;
        const pairs = (tens * 10 + (tens >>> 8)) & 0x00ff00ff;
        size = size * 10_000 + (pairs & 0xff) * 100 + (pairs >>> 16);
      }
      for (; (digit = (bytes[at] as number) - ZERO) >= 0 && digit < 10; at += 1) size = size * 10 + digit;
      if (at === fraction) return -1;
      exponent = fraction - at;
    }
    if (((bytes[at] as number) | 0x20) === SMALL_E) {
      exponent += powerAt(bytes, at);
      at = endOfPower(bytes, at);
    }
    if (exponent < -MOST_EXPONENT) size = size / 1e22 / (POWERS[-exponent - MOST_EXPONENT] ?? NaN);
    else size = exponent < 0 ? size / (POWERS[-exponent] as number) : size * (POWERS[exponent] ?? NaN);
    const error = size * ERROR;
    const value = Math.fround(size - error);
    if (value === Math.fround(size + error) && value < Infinity && at - begin <= MOST_CHARACTERS) {
      out[index] = first === begin ? value : -value;
    } else {
      const exact = exactly(bytes, begin, at);
      if (Number.isNaN(exact)) return -1;
      out[index] = exact;
    }
    at = skipSpace(bytes, at);
    if (bytes[at] !== (index + 1 < out.length ? COMMA : CLOSE_BRACKET)) return -1;
    at += 1;
  }
  return at;
}

/** The number between two places as `JSON.parse` reads it; NaN if it is none, or too large for a float32. */
function exactly(bytes: Uint8Array, start: number, end: number): number {
  const value = Number(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'));
  return Math.abs(value) < OVERFLOW ? value : NaN;
}

/** The exponent behind the letter at `start`; NaN if it has no digits. */
function powerAt(bytes: Uint8Array, start: number): number {
  const sign = bytes[start + 1];
  let at = sign === MINUS || sign === PLUS ? start + 2 : start + 1;
  if (!isDigit(bytes[at])) return NaN;
  let power = 0;
  for (; isDigit(bytes[at]) && power < 10_000; at += 1) power = power * 10 + (bytes[at] as number) - ZERO;
  return sign === MINUS ? -power : power;
}

function endOfPower(bytes: Uint8Array, start: number): number {
  let at = start + 2;
  while (isDigit(bytes[at])) at += 1;
  return at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte < ZERO + 10;
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  for (let byte = bytes[at] as number; byte <= SPACE; byte = bytes[at] as number) {
    if (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at += 1;
  }
  return at;
}
