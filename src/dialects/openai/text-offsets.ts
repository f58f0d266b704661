/** A token's own bytes, or its text where the task does not tell them. */
export interface SpelledToken {
  readonly token: string;
  readonly bytes: readonly number[] | null;
}

/** As far ahead a token is looked for that does not stand where the last one ended (a normaliser has changed the text). */
const AHEAD_BYTES = 32;
const SPACE = 0x20;

/**
 * Where each token begins in the text, in characters (code points) from `start` on. Tokens may end within a character, which then begins with the token that
 * has its first byte; special tokens that do not stand in the text take no room.
 */
export function textOffsets(text: string, tokens: readonly SpelledToken[], start = 0): number[] {
  const all = Buffer.from(text);
  let place = 0;
  /** Characters that begin before `place`. */
  let begun = 0;
  return tokens.map(({ token, bytes }) => {
    const own = bytes === null ? Buffer.from(token) : Buffer.from(bytes);
    const from = placeOf(all, own, place);
    const end = from === undefined ? place : Math.min(all.length, from + own.length);
    const offset = start + begun - (place < all.length && isWithin(all[place]) ? 1 : 0);
    for (; place < end; place += 1) if (!isWithin(all[place])) begun += 1;
    return offset;
  });
}

/** Where the bytes stand from `place` on; undefined where they do not. */
function placeOf(all: Buffer, own: Buffer, place: number): number | undefined {
  if (own.length === 0) return undefined;
  const found = all.subarray(place, place + own.length + AHEAD_BYTES).indexOf(own);
  if (found >= 0) return place + found;
  // The first word of a text is a token with a space before it, which the text has not.
  return own[0] === SPACE && all.subarray(place).indexOf(own.subarray(1)) === 0 ? place - 1 : undefined;
}

/** A byte that goes on with a character of UTF-8. */
function isWithin(byte = 0): boolean {
  return (byte & 0xc0) === 0x80;
}
