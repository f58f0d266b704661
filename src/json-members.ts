import { utf8Text } from './json.ts';
import { inSlices } from './slices.ts';

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

type Members = ReadonlyMap<string, Range>;

/**
 * The values of an object's members by name, as ranges of the bytes (UTF-8); of a repeated name the last counts, as with JSON.parse. Undefined if
 * the bytes are no object. Values are only delimited: whoever uses one parses it.
 */
export function jsonMembers(bytes: Uint8Array): Members | undefined {
  const finding = find(bytes);
  for (;;) {
    const { done, value } = finding.next();
    if (done === true) return value;
  }
}

/** The same, with turns of the event loop in between: megabytes take tens of milliseconds. */
export async function jsonMembersInTurns(bytes: Uint8Array): Promise<Members | undefined> {
  let found: Members | undefined;
  await inSlices(
    seen(find(bytes), (value) => (found = value)),
    () => undefined,
  );
  return found;
}

function* seen<Result>(steps: Generator<undefined, Result>, take: (result: Result) => void): Generator<undefined> {
  take(yield* steps);
}

/** Stops after each value, and in long ones. */
function* find(bytes: Uint8Array): Generator<undefined, Members | undefined> {
  const members = new Map<string, Range>();
  let at = afterSpace(bytes, 0);
  if (bytes[at] !== OPEN_BRACE) return undefined;
  at = afterSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_BRACE) return isSpaceFrom(bytes, at + 1) ? members : undefined;
  for (;;) {
    const nameEnd = bytes[at] === QUOTE ? yield* endOfText(bytes, at) : -1;
    const colon = nameEnd < 0 ? -1 : afterSpace(bytes, nameEnd);
    const name = nameEnd < 0 ? undefined : stringOf(bytes, at, nameEnd);
    if (name === undefined || bytes[colon] !== COLON) return undefined;
    const start = afterSpace(bytes, colon + 1);
    const end = yield* endOfValue(bytes, start);
    if (end <= start) return undefined;
    members.set(name, { start, end });
    yield;
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

/** After the value that begins at `start`; -1 if it does not end. */
function* endOfValue(bytes: Uint8Array, start: number): Generator<undefined, number> {
  const first = bytes[start];
  if (first === QUOTE || first === OPEN_BRACE || first === OPEN_BRACKET) return yield* endOfText(bytes, start);
  let at = start;
  while (at < bytes.byteLength && !isSpace(bytes[at]) && bytes[at] !== COMMA && bytes[at] !== CLOSE_BRACE) at += 1;
  return at;
}

/** Bytes that are looked at without a stop: a fraction of a millisecond. */
const STEP_BYTES = 128 * 1024;

/** After the string, array or object that begins at `start`; -1 if it does not end. */
function* endOfText(bytes: Uint8Array, start: number): Generator<undefined, number> {
  const scan: Scan = { at: start, depth: 0, inString: false };
  while (scan.at < bytes.byteLength) {
    if (advance(bytes, scan, Math.min(bytes.byteLength, scan.at + STEP_BYTES))) return scan.at;
    yield;
  }
  return -1;
}

interface Scan {
  at: number;
  depth: number;
  inString: boolean;
}

/** Reads on as far as `end`; true behind the end of the value. */
function advance(bytes: Uint8Array, scan: Scan, end: number): boolean {
  let { at, depth, inString } = scan;
  let isOver = false;
  while (at < end && !isOver) {
    const byte = bytes[at] as number;
    at += 1;
    if (inString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) {
        inString = false;
        isOver = depth === 0;
      }
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1;
      isOver = depth === 0;
    }
  }
  scan.at = at;
  scan.depth = depth;
  scan.inString = inString;
  return isOver;
}
