import { nearName } from '../../near-name.ts';
import type { Place, TextField, TextValue } from './text-format.ts';

/** Collects what is wrong with a message, one line each, up to a number. */
export type Problems = string[];

/** Further problems are not looked for: telling of each unknown field which one it may mean takes long. */
const MOST_PROBLEMS = 50;

/**
 * Reads the fields of one message by name and type. What has another type than asked for is added to `problems`, and reads as absent.
 * At the end, `finish` names the fields that nobody asked for.
 */
export class MessageReader {
  readonly #fields: readonly TextField[];
  readonly #problems: Problems;
  /** The message's name for problems, such as `dynamic_batching`; empty for the whole. */
  readonly #name: string;
  readonly #asked = new Set<string>();

  constructor(fields: readonly TextField[], problems: Problems, name = '') {
    this.#fields = fields;
    this.#problems = problems;
    this.#name = name;
  }

  has(name: string): boolean {
    return this.#of(name).length > 0;
  }

  text(name: string): string | undefined {
    return this.#one(name, (value) => this.#asText(name, value));
  }

  flag(name: string): boolean | undefined {
    return this.#one(name, (value) => {
      if (value.kind === 'word' && /^(true|True|t|1)$/.test(value.text)) return true;
      if (value.kind === 'word' && /^(false|False|f|0)$/.test(value.text)) return false;
      this.#wrong(name, value.place, 'expected true or false');
      return undefined;
    });
  }

  /** A whole number of at least `least`. */
  whole(name: string, least = 0): number | undefined {
    return this.#one(name, (value) => this.#asWhole(name, value, least));
  }

  wholes(name: string, least = 0): readonly number[] {
    return this.#of(name)
      .map(({ value }) => this.#asWhole(name, value, least))
      .filter((number) => number !== undefined);
  }

  texts(name: string): readonly string[] {
    return this.#of(name)
      .map(({ value }) => this.#asText(name, value))
      .filter((text) => text !== undefined);
  }

  /** One of the names of an enumeration. */
  choice<Name extends string>(name: string, names: readonly Name[]): Name | undefined {
    return this.#one(name, (value) => {
      const found = names.find((one) => value.kind !== 'message' && value.text === one);
      if (found === undefined) this.#wrong(name, value.place, `expected one of ${names.join(', ')}`);
      return found;
    });
  }

  message(name: string): MessageReader | undefined {
    return this.#one(name, (value) => this.#asMessage(name, value));
  }

  messages(name: string): readonly MessageReader[] {
    return this.#of(name)
      .map(({ value }) => this.#asMessage(name, value))
      .filter((message) => message !== undefined);
  }

  /** The entries of a map by their keys: messages with `key` and `value`. */
  entries(name: string): readonly (readonly [key: string, entry: MessageReader])[] {
    return this.messages(name).map((entry) => [entry.text('key') ?? '', entry]);
  }

  /** The fields among these that are there: known, but not read any further. */
  given(names: readonly string[]): readonly string[] {
    return names.filter((name) => this.has(name));
  }

  /** Adds a problem for each field that nobody asked for. */
  finish(): void {
    for (const { name, place } of this.#fields) {
      if (this.#problems.length >= MOST_PROBLEMS) return;
      if (this.#asked.has(name)) continue;
      const near = nearName(name, this.#asked);
      this.#wrong(name, place, `unknown field${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
  }

  #of(name: string): readonly TextField[] {
    this.#asked.add(name);
    return this.#fields.filter((field) => field.name === name);
  }

  #one<Read>(name: string, read: (value: TextValue) => Read | undefined): Read | undefined {
    const [first, second] = this.#of(name);
    if (second !== undefined) this.#wrong(name, second.place, 'may be given once');
    return first === undefined ? undefined : read(first.value);
  }

  #asText(name: string, value: TextValue): string | undefined {
    if (value.kind === 'text') return value.text;
    this.#wrong(name, value.place, 'expected a quoted text');
    return undefined;
  }

  #asWhole(name: string, value: TextValue, least: number): number | undefined {
    // Quoted, too: JSON writes whole numbers of 64 bits so.
    const isWhole = value.kind !== 'message' && /^-?(\d+|0[xX][0-9A-Fa-f]+)$/.test(value.text);
    const number = isWhole ? wholeOf(value.text) : undefined;
    if (number !== undefined && Number.isSafeInteger(number) && number >= least) return number;
    this.#wrong(name, value.place, `expected a whole number of at least ${least}`);
    return undefined;
  }

  #asMessage(name: string, value: TextValue): MessageReader | undefined {
    if (value.kind === 'message') return new MessageReader(value.fields, this.#problems, this.#path(name));
    this.#wrong(name, value.place, 'expected { ... }');
    return undefined;
  }

  #wrong(name: string, place: Place | undefined, text: string): void {
    if (this.#problems.length >= MOST_PROBLEMS) return;
    const where = place === undefined ? '' : `line ${place.line}, column ${place.column}: `;
    this.#problems.push(`${where}${this.#path(name)}: ${text}`);
  }

  #path(name: string): string {
    return this.#name === '' ? name : `${this.#name}.${name}`;
  }
}

/** A number as protobuf writes them: decimal, hexadecimal (0x10) or octal (010). */
function wholeOf(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace('-', '');
  if (!/^0[0-7]+$/.test(digits)) return sign * Number(digits);
  return sign * Number.parseInt(digits, 8);
}
