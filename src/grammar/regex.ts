import { ALL, without, type Range } from './characters.ts';
import { GrammarError } from './grammar-error.ts';
import { choice, EMPTY, repeat, sequence, set, type Pattern } from './pattern.ts';
import { CLASSES, NO_LINE_END, propertyRanges } from './regex-classes.ts';

const MOST_NESTED = 64;
/** To find the characters of one takes a tenth of a second. */
const MOST_PROPERTIES = 16;
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };
const ANYTHING = repeat({ kind: 'set', ranges: ALL }, 0, Infinity);

/**
 * Reads a regular expression of ECMAScript with its `u` flag. `whole`: it must match a text from end to end; else somewhere in it, as JSON Schema has it. Throws
 * GrammarError, by name for what is no regular language or is not supported (lookarounds, backreferences, word boundaries, anchors other than at the ends).
 */
export function readRegex(text: string, { whole }: { whole: boolean }): Pattern {
  return new RegexReader(text, whole).read();
}

class RegexReader {
  readonly #characters: readonly string[];
  readonly #whole: boolean;
  #at = 0;
  #depth = 0;
  readonly #properties = new Set<string>();

  constructor(text: string, whole: boolean) {
    this.#characters = Array.from(text);
    this.#whole = whole;
  }

  read(): Pattern {
    const alternatives = [this.#anchored()];
    while (this.#take('|')) alternatives.push(this.#anchored());
    if (this.#at < this.#characters.length) throw this.#wrong('")" without "("');
    return choice(...alternatives);
  }

  /** An alternative of the whole expression, where `^` and `$` may stand. */
  #anchored(): Pattern {
    const begins = this.#take('^');
    const middle = this.#sequence();
    const ends = this.#take('$');
    if (ends && !['|', undefined].includes(this.#peek())) throw this.#wrong('"$" before the end');
    const open = this.#whole ? EMPTY : ANYTHING;
    return sequence(begins ? EMPTY : open, middle, ends ? EMPTY : open);
  }

  #choice(): Pattern {
    const alternatives = [this.#sequence()];
    while (this.#take('|')) alternatives.push(this.#sequence());
    return choice(...alternatives);
  }

  #sequence(): Pattern {
    const parts: Pattern[] = [];
    for (let next = this.#peek(); next !== undefined && !'|)$'.includes(next); next = this.#peek())
      parts.push(this.#repeated(this.#atom()));
    if (this.#peek() === '$' && this.#depth > 0) throw this.#wrong('"$" within a group is not supported');
    return sequence(...parts);
  }

  #repeated(part: Pattern): Pattern {
    const bounds = this.#bounds();
    if (bounds === undefined) return part;
    // Lazy or greedy, the same texts match.
    this.#take('?');
    if (this.#peek() === '+') throw this.#wrong('possessive quantifiers are not supported');
    return repeat(part, bounds[0], bounds[1]);
  }

  #bounds(): readonly [number, number] | undefined {
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    if (this.#take('?')) return [0, 1];
    if (this.#peek() !== '{') return undefined;
    const end = this.#characters.indexOf('}', this.#at);
    const text = this.#characters.slice(this.#at + 1, end < 0 ? undefined : end).join('');
    const found = /^(\d{1,9})(,(\d{0,9}))?$/.exec(text);
    if (found === null) throw this.#wrong('"{" without numbers');
    this.#at = end + 1;
    const least = Number(found[1]);
    const most = found[2] === undefined ? least : found[3] === '' ? Infinity : Number(found[3]);
    if (most < least) throw this.#wrong('a quantifier whose bounds are out of order');
    return [least, most];
  }

  #atom(): Pattern {
    const next = this.#next();
    if (next === '.') return { kind: 'set', ranges: NO_LINE_END };
    if (next === '[') return { kind: 'set', ranges: this.#class() };
    if (next === '(') return this.#group();
    if (next === '\\') return { kind: 'set', ranges: this.#escape() };
    if (next === '^') throw this.#wrong('"^" behind the beginning is not supported');
    if ('*+?{}]'.includes(next)) throw this.#wrong(`"${next}" where nothing is to be repeated`);
    return point(next.codePointAt(0) ?? 0);
  }

  #group(): Pattern {
    if (this.#take('?')) this.#groupKind();
    this.#depth += 1;
    if (this.#depth > MOST_NESTED) throw this.#wrong(`groups more than ${MOST_NESTED} deep`);
    const inner = this.#choice();
    this.#depth -= 1;
    if (!this.#take(')')) throw this.#wrong('"(" without ")"');
    return inner;
  }

  #groupKind(): void {
    if (this.#take(':')) return;
    const kind = this.#next();
    const isLook = kind === '=' || kind === '!' || (kind === '<' && ['=', '!'].includes(this.#peek() ?? ''));
    if (isLook) throw this.#wrong('lookahead and lookbehind are not supported');
    const end = this.#characters.indexOf('>', this.#at);
    if (kind !== '<' || end < 0) throw this.#wrong('flags within a pattern are not supported');
    this.#at = end + 1;
  }

  /** A class in brackets, behind the first. */
  #class(): readonly Range[] {
    const isWithout = this.#take('^');
    const ranges: Range[] = [];
    while (this.#peek() !== ']') {
      const first = this.#member();
      if (this.#peek() !== '-' || [']', undefined].includes(this.#characters[this.#at + 1])) {
        ranges.push(...first);
        continue;
      }
      this.#next();
      const last = this.#member();
      const [low, high] = [first[0]?.[0] ?? 0, last[0]?.[1] ?? 0];
      const isSingle = [first, last].every(([one, ...others]) => others.length === 0 && one?.[0] === one?.[1]);
      if (!isSingle || low > high) throw this.#wrong('a range of characters that is out of order');
      ranges.push(...without([[low, high]], [[0xd800, 0xdfff]]));
    }
    this.#next();
    return isWithout ? without(ALL, ranges) : ranges;
  }

  #member(): readonly Range[] {
    const next = this.#next();
    if (next !== '\\') return single(next.codePointAt(0) ?? 0);
    return this.#take('b') ? single(8) : this.#escape();
  }

  /** What is behind a backslash. */
  #escape(): readonly Range[] {
    const next = this.#next();
    const named = CLASSES[next];
    if (named !== undefined) return named;
    const control = CONTROLS[next];
    if (control !== undefined && !(next === '0' && /\d/.test(this.#peek() ?? ''))) return single(control);
    if (next === 'b' || next === 'B') throw this.#wrong('word boundaries are not supported');
    if (next === 'k' || /\d/.test(next)) throw this.#wrong('backreferences are not supported');
    return this.#numbered(next);
  }

  #numbered(next: string): readonly Range[] {
    if (next === 'p' || next === 'P') return this.#property(next === 'P');
    if (next === 'x') return single(this.#hex(2));
    if (next === 'u') return single(this.#unicode());
    if (next === 'c' && /[A-Za-z]/.test(this.#peek() ?? '')) return single((this.#next().codePointAt(0) ?? 0) % 32);
    if (/[A-Za-z]/.test(next)) throw this.#wrong(`"\\${next}" is not supported`);
    return single(next.codePointAt(0) ?? 0);
  }

  #property(isWithout: boolean): readonly Range[] {
    const end = this.#characters.indexOf('}', this.#at);
    if (!this.#take('{') || end < 0) throw this.#wrong('"\\p" without a name in braces');
    const name = this.#characters.slice(this.#at, end).join('');
    this.#at = end + 1;
    this.#properties.add(name);
    if (this.#properties.size > MOST_PROPERTIES) throw this.#wrong(`more than ${MOST_PROPERTIES} classes \\p{...}`);
    const ranges = propertyRanges(name);
    return isWithout ? without(ALL, ranges) : ranges;
  }

  #unicode(): number {
    if (this.#peek() === '{') {
      const found = /^\{([0-9A-Fa-f]{1,6})\}/.exec(this.#characters.slice(this.#at, this.#at + 8).join(''));
      if (found?.[1] === undefined) throw this.#wrong('"\\u{" without a number');
      this.#at += found[0].length;
      return Number.parseInt(found[1], 16);
    }
    const first = this.#hex(4);
    const isPair =
      first >= 0xd800 && first <= 0xdbff && this.#peek() === '\\' && this.#characters[this.#at + 1] === 'u';
    if (!isPair) return first;
    this.#at += 2;
    return 0x10000 + ((first - 0xd800) << 10) + (this.#hex(4) - 0xdc00);
  }

  #hex(digits: number): number {
    const text = this.#characters.slice(this.#at, this.#at + digits).join('');
    if (!/^[0-9A-Fa-f]+$/.test(text) || text.length < digits) throw this.#wrong('an escape without its number');
    this.#at += digits;
    return Number.parseInt(text, 16);
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #next(): string {
    const next = this.#characters[this.#at];
    if (next === undefined) throw this.#wrong('an end that comes too early');
    this.#at += 1;
    return next;
  }

  #take(wanted: string): boolean {
    if (this.#peek() !== wanted) return false;
    this.#at += 1;
    return true;
  }

  #wrong(what: string): GrammarError {
    return new GrammarError(`the regular expression cannot be used: ${what}, at character ${this.#at + 1}`);
  }
}

function single(character: number): readonly Range[] {
  if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
    throw new GrammarError('the regular expression cannot be used: it names half a character');
  return [[character, character]];
}

function point(character: number): Pattern {
  return set(...single(character));
}
