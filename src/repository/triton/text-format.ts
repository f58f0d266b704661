import { isUtf8 } from 'node:buffer';

/**
 * Protobuf's text format (protobuf.dev/reference/protobuf/textformat-spec), without extensions and `Any`. A text is read without a schema: what fields
 * there are, and of which type, is up to the reader of its messages (`message-reader.ts`).
 */

/** Where something stands in a text; lines and columns begin at 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A value of a field: a message, a quoted text, or a word (an identifier or a number, with its sign). Without a place, it comes from JSON. */
export type TextValue =
  | { readonly kind: 'message'; readonly fields: readonly TextField[]; readonly place?: Place }
  | { readonly kind: 'text' | 'word'; readonly text: string; readonly place?: Place };

/** A field with one value; a list is as many fields of one name. */
export interface TextField {
  readonly name: string;
  readonly value: TextValue;
  readonly place?: Place;
}

/** A text that is not in protobuf's text format. */
export class TextFormatError extends Error {
  constructor({ line, column }: Place, message: string) {
    super(`line ${line}, column ${column}: ${message}`);
    this.name = 'TextFormatError';
  }
}

/** Bounds memory and time; configurations have some kilobytes. */
const MOST_CHARACTERS = 1024 * 1024;
/** Bounds recursion; Triton's messages are seven deep. */
const MOST_DEPTH = 32;

const BLANK = /(?:[ \t\r\n\f\v]|#[^\n]*)+/y;
const IDENTIFIER = /[A-Za-z_]\w*/y;
/** What follows a sign: a number of any form, or `inf` and `nan`. */
const WORD = /(?:[A-Za-z_]\w*|(?:\d|\.\d)[\w.]*(?:(?<=[eE])[+-]\d+[fF]?)?)/y;
/** A piece of a quoted text up to its end, an escape or the end of the line. */
const PLAIN = { '"': /[^"\\\n]+/y, "'": /[^'\\\n]+/y } as const;
const ESCAPE = /\\(?:[0-7]{1,3}|[xX][0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[abfnrtv?'"\\])/y;
const LETTERS: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
  ...{ '?': '?', "'": "'", '"': '"', '\\': '\\' },
};

/** The fields of a message in protobuf's text format, in their order. Throws TextFormatError at the first place that is wrong. */
export function parseTextFormat(text: string): readonly TextField[] {
  const start = { line: 1, column: 1 };
  if (text.length > MOST_CHARACTERS) throw new TextFormatError(start, `more than ${MOST_CHARACTERS} characters`);
  return new Parser(text).message(undefined, 0);
}

class Parser {
  readonly #text: string;
  #at = 0;
  /** The line that `#at` is in, and where it begins. */
  #line = 1;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Fields up to `end`, or to the end of the text. */
  message(end: string | undefined, depth: number): TextField[] {
    if (depth > MOST_DEPTH) throw this.#error(`messages may be nested ${MOST_DEPTH} deep at most`);
    const fields: TextField[] = [];
    for (;;) {
      this.#skip();
      if (end === undefined ? this.#at === this.#text.length : this.#takes(end)) return fields;
      if (this.#at === this.#text.length) throw this.#error(`the text ends before ${end}`);
      this.#field(fields, depth);
    }
  }

  #field(fields: TextField[], depth: number): void {
    const place = this.#place();
    if (this.#text[this.#at] === '[') throw this.#error('extensions are not supported');
    const name = this.#match(IDENTIFIER);
    if (name === undefined) throw this.#error(`expected the name of a field, got ${this.#seen()}`);
    this.#skip();
    const hasColon = this.#takes(':');
    this.#skip();
    if (this.#takes('[')) this.#list({ name, place, hasColon }, fields, depth);
    else fields.push({ name, place, value: this.#value(hasColon, depth) });
    this.#skip();
    if (!this.#takes(',')) this.#takes(';');
  }

  /** `[a, b]`, after its first bracket. */
  #list(
    { hasColon, ...field }: Omit<TextField, 'value'> & { readonly hasColon: boolean },
    fields: TextField[],
    depth: number,
  ): void {
    this.#skip();
    if (this.#takes(']')) return;
    for (;;) {
      this.#skip();
      fields.push({ ...field, value: this.#value(hasColon, depth) });
      this.#skip();
      if (this.#takes(']')) return;
      if (!this.#takes(',')) throw this.#error(`expected , or ] in a list, got ${this.#seen()}`);
    }
  }

  #value(hasColon: boolean, depth: number): TextValue {
    const place = this.#place();
    if (this.#takes('{')) return { kind: 'message', place, fields: this.message('}', depth + 1) };
    if (this.#takes('<')) return { kind: 'message', place, fields: this.message('>', depth + 1) };
    if (!hasColon) throw this.#error(`expected : or {, got ${this.#seen()}`);
    const next = this.#text[this.#at];
    if (next === '"' || next === "'") return { kind: 'text', place, text: this.#quoted() };
    const sign = this.#takes('-') ? '-' : '';
    this.#skip();
    const word = this.#match(WORD);
    if (word === undefined) throw this.#error(`expected a value, got ${this.#seen()}`);
    return { kind: 'word', place, text: sign + word };
  }

  /** Quoted texts that follow one another are one. Escapes give bytes, which together must be UTF-8. */
  #quoted(): string {
    const place = this.#place();
    const bytes: Buffer[] = [];
    for (let quote = this.#text[this.#at]; quote === '"' || quote === "'"; quote = this.#text[this.#at]) {
      this.#at += 1;
      while (!this.#takes(quote)) {
        const plain = this.#match(PLAIN[quote]);
        if (plain === undefined) bytes.push(this.#escape());
        else bytes.push(Buffer.from(plain));
      }
      this.#skip();
    }
    const whole = Buffer.concat(bytes);
    if (!isUtf8(whole)) throw new TextFormatError(place, 'a text that is not UTF-8');
    return whole.toString();
  }

  #escape(): Buffer {
    const place = this.#place();
    const found = this.#match(ESCAPE);
    if (found === undefined) {
      const isOpen = this.#at === this.#text.length || this.#text[this.#at] === '\n';
      throw new TextFormatError(place, isOpen ? 'a text without its closing quote' : 'an unknown escape');
    }
    const [, kind = ''] = found;
    const letter = LETTERS[kind];
    if (letter !== undefined) return Buffer.from(letter);
    if (/[xX]/.test(kind)) return Buffer.of(Number.parseInt(found.slice(2), 16));
    if (/[0-7]/.test(kind)) return Buffer.of(Number.parseInt(found.slice(1), 8) & 0xff);
    const point = Number.parseInt(found.slice(2), 16);
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
      throw new TextFormatError(place, 'an escape that is no character');
    return Buffer.from(String.fromCodePoint(point));
  }

  #skip(): void {
    const from = this.#at;
    const blank = this.#match(BLANK);
    if (blank === undefined) return;
    for (let at = blank.indexOf('\n'); at >= 0; at = blank.indexOf('\n', at + 1)) {
      this.#line += 1;
      this.#lineStart = from + at + 1;
    }
  }

  #takes(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #place(): Place {
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #seen(): string {
    const next = this.#text[this.#at];
    return next === undefined ? 'the end of the text' : JSON.stringify(next);
  }

  #error(message: string): TextFormatError {
    return new TextFormatError(this.#place(), message);
  }
}
