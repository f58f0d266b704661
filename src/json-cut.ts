/**
 * JSON whose arrays of numbers are cut out before it is parsed: they are most of a body with tensors, and a reader that knows what it reads takes a third
 * of the time of `JSON.parse`.
 */

const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const QUOTE = 0x22;
/** A backslash or anything beyond ASCII. */
const DISGUISE = /[\\\u0080-\u00ff]/;

/** `JSON.parse` takes less time for shorter texts: sixty numbers of full length. */
const LEAST_BYTES = 1024;
/** What remains is a few names and shapes; of more, `JSON.parse` takes the most time anyway. */
const MOST_REST_BYTES = 16_384;

/** Bytes from the bracket that opens an array to the one that closes it, which is not included. */
export interface ArraySpan {
  readonly start: number;
  readonly end: number;
}

export interface CutJson {
  /** The value; in place of each array that was cut out is the number of its span. Nothing else is at a key of that name. */
  readonly root: unknown;
  readonly spans: readonly ArraySpan[];
}

/**
 * Cuts out the arrays at keys of a name. Undefined where there are none, the text is short, a key of that name has another value, or the rest has a backslash, which could be
 * such a key in disguise, is not ASCII, or is not JSON. The arrays are not looked into: unless each turns out to be one array from its first bracket to its
 * last, the whole was no JSON, or another one.
 */
export function cutArrays(bytes: Uint8Array, name: string): CutJson | undefined {
  if (bytes.byteLength < LEAST_BYTES) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const key = `"${name}"`;
  const spans: ArraySpan[] = [];
  let rest = '';
  let copied = 0;
  for (let found = text.indexOf(key); found >= 0; found = text.indexOf(key, copied)) {
    const colon = skipSpace(text, found + key.length);
    const start = skipSpace(text, colon + 1);
    if (text[colon] !== COLON || text[start] !== OPEN_BRACKET) return undefined;
    const end = endOfArray(text, start);
    if (end < 0 || rest.length + start - copied > MOST_REST_BYTES) return undefined;
    rest += text.toString('latin1', copied, start) + String(spans.length);
    spans.push({ start, end });
    copied = end;
  }
  if (spans.length === 0 || rest.length + text.length - copied > MOST_REST_BYTES) return undefined;
  rest += text.toString('latin1', copied);
  return parsed(rest, spans);
}

function parsed(rest: string, spans: readonly ArraySpan[]): CutJson | undefined {
  if (DISGUISE.test(rest)) return undefined;
  try {
    return { root: JSON.parse(rest), spans };
  } catch {
    return undefined;
  }
}

/** Where the array ends, after its bracket, if it is nested as deep everywhere as at its beginning; -1 if it has no end, or holds texts. */
function endOfArray(text: Buffer, start: number): number {
  let nesting = 0;
  let first = start;
  for (; text[first] === OPEN_BRACKET; first = skipSpace(text, first + 1)) nesting += 1;
  if (text[first] === QUOTE) return -1;
  for (let at = text.indexOf(CLOSE_BRACKET, first); at >= 0; at = text.indexOf(CLOSE_BRACKET, at)) {
    let closed = 0;
    for (; text[at] === CLOSE_BRACKET; at = skipSpace(text, at + 1)) {
      closed += 1;
      if (closed === nesting) return at + 1;
    }
  }
  return -1;
}

function skipSpace(text: Buffer, start: number): number {
  let at = start;
  while (text[at] === 0x20 || text[at] === 0x0a || text[at] === 0x0d || text[at] === 0x09) at += 1;
  return at;
}
