/** Translates escapes and character classes of tokenizer.json's regular expressions (Oniguruma's) for JavaScript's `v` flag. */

/** A place in a pattern. */
export interface Cursor {
  readonly pattern: string;
  at: number;
}

/** Word characters of `\w` within classes; outside classes, `\w` also has the superscripts and fractions of Latin-1. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
const LATIN_WORD = `${WORD}\\u00b2\\u00b3\\u00b9\\u00bc-\\u00be`;
export const WORD_CLASS = `[${LATIN_WORD}]`;

const SHORTHANDS: Readonly<Record<string, string>> = {
  s: '\\p{White_Space}',
  d: '\\p{Nd}',
  h: '0-9A-Fa-f',
};

const CONTROLS: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  f: '\f',
  v: '\v',
  a: '\u0007',
  e: '\u001b',
};

const POSIX: Readonly<Record<string, string>> = {
  alnum: '\\p{Alphabetic}\\p{Nd}',
  alpha: '\\p{Alphabetic}',
  blank: '\\p{Zs}\\t',
  cntrl: '\\p{Cc}',
  digit: '\\p{Nd}',
  lower: '\\p{Lowercase}',
  punct: '\\p{P}\\p{S}',
  space: '\\p{White_Space}',
  upper: '\\p{Uppercase}',
  word: WORD,
  xdigit: '0-9A-Fa-f',
};

/** A character as JavaScript writes it in a pattern, in classes and outside. */
export function literal(character: string): string {
  if (/^[A-Za-z0-9]$/.test(character)) return character;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** A set of characters, or one. */
type Element = { readonly set: string } | { readonly character: string };

/**
 * Reads an escape; the cursor is on its backslash and moves past the escape. Undefined for escapes that do not match a character, such as
 * `\b`. Throws a plain Error for unknown escapes.
 */
export function readEscape(cursor: Cursor, inClass: boolean): Element | undefined {
  const { pattern, at } = cursor;
  const rest = pattern.slice(at);
  const property = /^\\([pP])\{(\^?)([A-Za-z_ ]+)\}/.exec(rest);
  if (property !== null) {
    const [whole, kind, not, name = ''] = property;
    cursor.at += whole.length;
    return { set: propertyOf(name, (kind === 'P') !== (not === '^')) };
  }
  const code = /^\\(?:x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4}))/.exec(rest);
  if (code !== null) {
    cursor.at += code[0].length;
    return { character: String.fromCodePoint(Number.parseInt(code[1] ?? code[2] ?? code[3] ?? '', 16)) };
  }
  const letter = characterAt(pattern, at + 1);
  if (letter === '') throw new Error('a pattern ends in a backslash');
  const end = at + 1 + letter.length;
  if (!inClass && /^[bBAzZ]$/.test(letter)) return undefined;
  cursor.at = end;
  return escaped(letter, inClass);
}

function escaped(letter: string, inClass: boolean): Element {
  const lower = letter.toLowerCase();
  const set = lower === 'w' ? (inClass ? WORD : LATIN_WORD) : SHORTHANDS[lower];
  if (set !== undefined && /^[sdhwSDHW]$/.test(letter)) return { set: letter === lower ? `[${set}]` : `[^${set}]` };
  const control = CONTROLS[letter];
  if (control !== undefined) return { character: control };
  if (/^[A-Za-z0-9]$/.test(letter)) throw new Error(`\\${letter} in a pattern is not supported`);
  return { character: letter };
}

function propertyOf(name: string, negated: boolean): string {
  const posix = name === 'Punct' ? undefined : POSIX[name.toLowerCase()];
  if (posix !== undefined) return negated ? `[^${posix}]` : `[${posix}]`;
  for (const written of [name, `Script=${name}`]) {
    const property = `\\${negated ? 'P' : 'p'}{${written}}`;
    if (isPattern(property)) return property;
  }
  throw new Error(`\\p{${name}} in a pattern is not supported`);
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source, 'v');
    return true;
  } catch {
    return false;
  }
}

/** The character (code point) at an index; '' at the end. */
export function characterAt(text: string, index: number): string {
  const code = text.codePointAt(index);
  return code === undefined ? '' : String.fromCodePoint(code);
}

/** A class of the letters that equal an ASCII letter when case is ignored; the long s and the Kelvin sign are among them. */
export function caseless(character: string): string {
  if (!/^[A-Za-z\u017f\u212a]$/.test(character)) {
    if (character > '\u007f') throw new Error(`${character} in a pattern without regard to case is not supported`);
    return literal(character);
  }
  const lower = character === '\u017f' ? 's' : character.toLowerCase();
  const more = lower === 's' ? '\\u017f' : lower === 'k' ? '\\u212a' : '';
  return `[${lower}${lower.toUpperCase()}${more}]`;
}

/** Reads a class; the cursor is on its `[` and moves past its `]`. */
export function readClass(cursor: Cursor, ignoreCase: boolean): string {
  cursor.at += 1;
  const negated = cursor.pattern[cursor.at] === '^';
  if (negated) cursor.at += 1;
  const operands = [''];
  for (let isFirst = true; ; isFirst = false) {
    const { pattern, at } = cursor;
    if (at >= pattern.length) throw new Error('a class in a pattern has no end');
    if (pattern[at] === ']' && !isFirst) break;
    if (pattern.startsWith('&&', at)) {
      cursor.at += 2;
      operands.push('');
    } else operands.push((operands.pop() ?? '') + readItem(cursor, ignoreCase));
  }
  cursor.at += 1;
  if (operands.includes('')) throw new Error('a class in a pattern is empty');
  const sets = operands.length === 1 ? operands[0] : operands.map((operand) => `[${operand}]`).join('&&');
  return `[${negated ? '^' : ''}${sets ?? ''}]`;
}

function readItem(cursor: Cursor, ignoreCase: boolean): string {
  const { pattern, at } = cursor;
  const posix = /^\[:(\^?)([a-z]+):\]/.exec(pattern.slice(at));
  if (posix !== null) {
    const set = POSIX[posix[2] ?? ''];
    if (set === undefined) throw new Error(`${posix[0]} in a pattern is not supported`);
    cursor.at += posix[0].length;
    return posix[1] === '^' ? `[^${set}]` : `[${set}]`;
  }
  if (pattern[at] === '[') return readClass(cursor, ignoreCase);
  const first = readElement(cursor);
  if ('set' in first) return first.set;
  if (!isRange(cursor)) return ignoreCase ? caseless(first.character) : literal(first.character);
  cursor.at += 1;
  const last = readElement(cursor);
  if ('set' in last) throw new Error('a range in a pattern ends in a set');
  if (ignoreCase && /[A-Za-z\u017f\u212a]/.test(first.character + last.character))
    return `${literal(first.character)}-${literal(last.character)}${lettersBetween(first.character, last.character)}`;
  return `${literal(first.character)}-${literal(last.character)}`;
}

function readElement(cursor: Cursor): Element {
  if (cursor.pattern[cursor.at] === '\\') {
    const element = readEscape(cursor, true);
    if (element !== undefined) return element;
  }
  const character = characterAt(cursor.pattern, cursor.at);
  if (character === '') throw new Error('a class in a pattern has no end');
  cursor.at += character.length;
  return { character };
}

/** Whether a `-` follows that is not the last character of its class. */
function isRange({ pattern, at }: Cursor): boolean {
  return pattern[at] === '-' && pattern[at + 1] !== ']' && !pattern.startsWith('&&', at + 1);
}

function lettersBetween(first: string, last: string): string {
  return Array.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
    .filter((letter) => letter >= first && letter <= last)
    .map(caseless)
    .join('');
}
