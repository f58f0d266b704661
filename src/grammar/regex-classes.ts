import { ALL, joined, LAST_CHARACTER, without, type Range } from './characters.ts';
import { GrammarError } from './grammar-error.ts';

/** The classes of characters that ECMAScript's regular expressions name. */

const DIGITS: readonly Range[] = [[0x30, 0x39]];
const WORDS: readonly Range[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACES: readonly Range[] = [
  ...([
    [0x09, 0x0d],
    [0x20, 0x20],
    [0xa0, 0xa0],
    [0x1680, 0x1680],
    [0x2000, 0x200a],
  ] as const),
  ...([
    [0x2028, 0x2029],
    [0x202f, 0x202f],
    [0x205f, 0x205f],
    [0x3000, 0x3000],
    [0xfeff, 0xfeff],
  ] as const),
];
const LINE_ENDS: readonly Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];

/** `.` */
export const NO_LINE_END = without(ALL, LINE_ENDS);

export const CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: DIGITS,
  D: without(ALL, DIGITS),
  w: WORDS,
  W: without(ALL, WORDS),
  s: SPACES,
  S: without(ALL, SPACES),
};

/** Found classes, as finding one takes a tenth of a second. */
const properties = new Map<string, readonly Range[]>();
const MOST_PROPERTIES = 32;

/** The characters with a property of Unicode, as in `\p{Lu}`. Throws GrammarError where there is no such property. */
export function propertyRanges(name: string): readonly Range[] {
  const known = properties.get(name);
  if (known !== undefined) return known;
  const found = findProperty(name);
  if (properties.size >= MOST_PROPERTIES) properties.clear();
  properties.set(name, found);
  return found;
}

function findProperty(name: string): Range[] {
  let pattern: RegExp;
  try {
    if (!/^[\w=]{1,64}$/.test(name)) throw new SyntaxError();
    pattern = new RegExp(`\\p{${name}}`, 'u');
  } catch {
    throw new GrammarError(`there is no class of characters \\p{${name.slice(0, 64)}}`);
  }
  const ranges: Range[] = [];
  for (let point = 0; point <= LAST_CHARACTER; point += 1) {
    const isHalf = point >= 0xd800 && point <= 0xdfff;
    if (isHalf || !pattern.test(String.fromCodePoint(point))) continue;
    const last = ranges.at(-1);
    if (last?.[1] === point - 1) ranges[ranges.length - 1] = [last[0], point];
    else ranges.push([point, point]);
  }
  return joined(ranges);
}
