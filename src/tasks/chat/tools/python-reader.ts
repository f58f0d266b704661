/** The text ends within a literal: more of it may come. */
export class TextEnded extends Error {}

/** Thrown within, for text that is no literal. */
class NoLiteral extends Error {}

const MOST_DEPTH = 32;
const NUMBER = /^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const WORDS: Readonly<Record<string, unknown>> = {
  ...{ True: true, False: false, None: null },
  ...{ true: true, false: false, null: null },
};
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '0': '\0', '\n': '' },
  ...{ '\\': '\\', "'": "'", '"': '"', '/': '/' },
};
/** Digits of an escape that names a character. */
const DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** Reads literals of Python, or of JSON, from a place in a text. */
export class PythonReader {
  readonly #text: string;
  at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
  }

  /** `name=value, ...` up to the closing bracket, which is taken; undefined if it is something else. Throws TextEnded. */
  keywords(): Readonly<Record<string, unknown>> | undefined {
    const entries: [string, unknown][] = [];
    try {
      while (!this.#takes(')')) {
        const name = this.#word();
        if (name === '' || !this.#takes('=')) throw new NoLiteral();
        entries.push([name, this.#value(0)]);
        if (!this.#takes(',') && this.#peek() !== ')') throw new NoLiteral();
      }
    } catch (error) {
      if (error instanceof NoLiteral) return undefined;
      throw error;
    }
    return Object.fromEntries(entries);
  }

  #value(depth: number): unknown {
    if (depth > MOST_DEPTH) throw new NoLiteral();
    const first = this.#peek();
    if (first === '"' || first === "'") return this.#string(first);
    if (this.#takes('[')) return this.#list(']', depth);
    if (this.#takes('(')) return this.#list(')', depth);
    if (this.#takes('{')) return this.#object(depth);
    const word = this.#word();
    if (Object.hasOwn(WORDS, word)) return WORDS[word];
    const number = NUMBER.test(word) ? Number(word.replaceAll('_', '')) : NaN;
    if (!Number.isFinite(number)) throw new NoLiteral();
    return number;
  }

  #list(end: string, depth: number): unknown[] {
    const values: unknown[] = [];
    while (!this.#takes(end)) {
      values.push(this.#value(depth + 1));
      if (!this.#takes(',') && this.#peek() !== end) throw new NoLiteral();
    }
    return values;
  }

  #object(depth: number): unknown {
    const entries: [string, unknown][] = [];
    while (!this.#takes('}')) {
      const name = this.#value(depth + 1);
      // Lists and dicts are no keys in Python either. Each within another would double the backslashes of the text.
      if ((typeof name === 'object' && name !== null) || !this.#takes(':')) throw new NoLiteral();
      entries.push([String(name), this.#value(depth + 1)]);
      if (!this.#takes(',') && this.#peek() !== '}') throw new NoLiteral();
    }
    return Object.fromEntries(entries);
  }

  #string(quote: string): string {
    let value = '';
    for (this.at += 1; ; this.at += 1) {
      const character = this.#character();
      if (character === quote) break;
      value += character === '\\' ? this.#escape() : character;
    }
    this.at += 1;
    return value;
  }

  /** Stands on its last character afterwards. */
  #escape(): string {
    this.at += 1;
    const kind = this.#character();
    const digits = DIGITS[kind];
    // An unknown escape is no escape.
    if (digits === undefined) return ESCAPES[kind] ?? `\\${kind}`;
    const code = this.#text.slice(this.at + 1, this.at + 1 + digits);
    if (code.length < digits) throw new TextEnded();
    const point = /^[\da-f]+$/i.test(code) ? Number.parseInt(code, 16) : Infinity;
    if (point > 0x10ffff) throw new NoLiteral();
    this.at += digits;
    return String.fromCodePoint(point);
  }

  /** Letters, digits and signs of a name, a word or a number, which end before something else. */
  #word(): string {
    this.#peek();
    const [word = ''] = /^[\w.+-]*/.exec(this.#text.slice(this.at, this.at + 200)) ?? [];
    this.at += word.length;
    this.#character();
    return word;
  }

  #takes(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.at += 1;
    return true;
  }

  /** The next character behind space. */
  #peek(): string {
    while (/\s/.test(this.#character())) this.at += 1;
    return this.#character();
  }

  #character(): string {
    if (this.at >= this.#text.length) throw new TextEnded();
    return this.#text.charAt(this.at);
  }
}
