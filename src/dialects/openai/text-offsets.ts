/** A token's bytes, or its text if the task does not give its bytes. */
export interface SpelledToken {
  readonly token: string;
  readonly bytes: readonly number[] | null;
}

/** How far ahead a token is searched for if it does not begin where the last one ended (because a normaliser has changed the text). */
const AHEAD_BYTES = 32;
const SPACE = 0x20;

/**
 * The offset at which each token begins in the text, in characters (code points), plus `start`. A token may end within a character, which then belongs to the
 * token that has its first byte. Special tokens that are not in the text have no length.
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

/** The position of the bytes at or after `place`; undefined if they are not there. */
function placeOf(all: Buffer, own: Buffer, place: number): number | undefined {
  if (own.length === 0) return undefined;
  const found = all.subarray(place, place + own.length + AHEAD_BYTES).indexOf(own);
  if (found >= 0) return place + found;
  // A stop text may end the text within the token: the tokens after it begin where the text ends.
  const rest = all.subarray(place);
  if (own.subarray(0, rest.length).equals(rest)) return place;
  // The first word's token may begin with a space that is not in the text.
  return own[0] === SPACE && rest.indexOf(own.subarray(1)) === 0 ? place - 1 : undefined;
}

/** Whether a byte of UTF-8 continues a character. */
function isWithin(byte = 0): boolean {
  return (byte & 0xc0) === 0x80;
}
