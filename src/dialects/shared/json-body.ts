import { ServerError } from '../../errors.ts';
import { isDeeper } from '../../json-depth.ts';

/** Shorter bodies cannot hold so much that it matters, and are not scanned. */
const SCANNED_BYTES = 1024 * 1024;
/** Arrays, objects and names of their fields; each costs about a hundred bytes of memory, whatever its text. */
const MOST_PARTS = 1_000_000;

/** Deeper JSON is no input of any task; walking or cloning it would run out of stack. */
const MOST_DEPTH = 64;

/** The value of a JSON body. Throws BAD_REQUEST: not UTF-8, not JSON, nested more than 64 deep; TOO_LARGE: of too many parts. */
export function parseJson(body: Uint8Array): unknown {
  if (body.byteLength > SCANNED_BYTES && hasMoreParts(body, MOST_PARTS))
    throw new ServerError('TOO_LARGE', `JSON may hold ${MOST_PARTS} arrays, objects and fields at most.`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new ServerError('BAD_REQUEST', 'The body is not valid JSON in UTF-8.');
  }
  if (isDeeper(value, MOST_DEPTH))
    throw new ServerError('BAD_REQUEST', `JSON may be nested ${MOST_DEPTH} deep at most.`);
  return value;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const PARTS: ReadonlySet<number> = new Set(['[', '{', ':'].map((sign) => sign.charCodeAt(0)));

/** Whether JSON text has more arrays, objects and fields than that; texts within it do not count. */
function hasMoreParts(body: Uint8Array, most: number): boolean {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  let parts = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) at = endOfText(bytes, at);
    else if (PARTS.has(byte)) parts += 1;
    if (parts > most) return true;
  }
  return false;
}

/** Where the quote is that closes the text opened at `at`; the end where there is none. */
function endOfText(bytes: Buffer, at: number): number {
  for (let quote = bytes.indexOf(QUOTE, at + 1); quote >= 0; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let escapes = 0;
    while (bytes[quote - 1 - escapes] === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return quote;
  }
  return bytes.length;
}

/** The object of a JSON body. Throws BAD_REQUEST, as `parseJson` does, and where it is another value. */
export function parseJsonObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  const value = parseJson(body);
  if (isObject(value)) return value;
  throw new ServerError('BAD_REQUEST', 'The body must be a JSON object.');
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
