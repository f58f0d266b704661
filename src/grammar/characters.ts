/** Sets of characters as ranges of code points, and their bytes in UTF-8. */

export type Range = readonly [low: number, high: number];

export const LAST_CHARACTER = 0x10ffff;
/** Every character; halves of surrogate pairs are none. */
export const ALL: readonly Range[] = [
  [0, 0xd7ff],
  [0xe000, LAST_CHARACTER],
];

/** Ranges in order, overlapping and adjacent ones joined. */
export function joined(ranges: readonly Range[]): Range[] {
  const result: [number, number][] = [];
  for (const [low, high] of [...ranges].sort((one, other) => one[0] - other[0])) {
    const last = result.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else result.push([low, high]);
  }
  return result;
}

/** The characters of `all` that are not in `ranges`. */
export function without(all: readonly Range[], ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  const taken = joined(ranges);
  for (const [low, high] of joined(all)) {
    let from = low;
    for (const [start, end] of taken) {
      if (end < from || start > high) continue;
      if (start > from) result.push([from, start - 1]);
      from = end + 1;
    }
    if (from <= high) result.push([from, high]);
  }
  return result;
}

/** The characters of both. */
export function common(one: readonly Range[], other: readonly Range[]): Range[] {
  return without(one, without(ALL, other));
}

const LIMITS = [0x7f, 0x7ff, 0xffff, LAST_CHARACTER];

/** The sequences of byte ranges that are the characters of a range in UTF-8. Cuts the range where lengths change and where a byte does not take all its values. */
export function utf8Sequences([low, high]: Range): Range[][] {
  for (const limit of LIMITS)
    if (low <= limit && high > limit) return [...utf8Sequences([low, limit]), ...utf8Sequences([limit + 1, high])];
  if (high <= 0x7f) return [[[low, high]]];
  for (const bits of [6, 12, 18]) {
    const mask = 2 ** bits - 1;
    if (low >> bits === high >> bits) continue;
    if ((low & mask) !== 0) return [...utf8Sequences([low, low | mask]), ...utf8Sequences([(low | mask) + 1, high])];
    if ((high & mask) !== mask)
      return [...utf8Sequences([low, (high & ~mask) - 1]), ...utf8Sequences([high & ~mask, high])];
  }
  const [first, last] = [utf8(low), utf8(high)];
  return [first.map((byte, index): Range => [byte, last[index] ?? byte])];
}

function utf8(character: number): number[] {
  if (character <= 0x7ff) return [0xc0 | (character >> 6), 0x80 | (character & 63)];
  const end = [0x80 | ((character >> 6) & 63), 0x80 | (character & 63)];
  if (character <= 0xffff) return [0xe0 | (character >> 12), ...end];
  return [0xf0 | (character >> 18), 0x80 | ((character >> 12) & 63), ...end];
}
