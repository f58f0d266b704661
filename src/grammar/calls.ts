import { GrammarError } from './grammar-error.ts';
import type { JsonRules } from './json-rules.ts';
import type { NetworkBuilder, Rule } from './network.ts';
import { parseSchema } from './parse-schema.ts';
import { SchemaWriter } from './schema.ts';
import type { CallSpec, CallsSpec } from './spec.ts';
import { SPECIAL } from './token-trie.ts';

/** The last byte that begins a character in UTF-8. */
const LAST_BYTE = 0xf4;
const MOST_CALLS = 64;

export interface CallsParts {
  readonly json: JsonRules;
  /** Spellings of the tokenizer's special tokens. */
  readonly specials: ReadonlySet<string>;
}

/** Writes calls of tools in a model's notation. Throws GrammarError. */
export function writeCalls(spec: CallsSpec, parts: CallsParts): Rule {
  const { calls, most = 1 } = spec;
  if (calls.length === 0 || most < 1 || most > MOST_CALLS)
    throw new GrammarError(`there must be a tool, and from 1 to ${MOST_CALLS} calls`);
  return new CallsWriter(spec, parts).write();
}

class CallsWriter {
  readonly #spec: CallsSpec;
  readonly #builder: NetworkBuilder;
  readonly #specials: ReadonlySet<string>;
  readonly #schemas: readonly Rule[];

  constructor(spec: CallsSpec, { json, specials }: CallsParts) {
    this.#spec = spec;
    this.#builder = json.builder;
    this.#specials = specials;
    this.#schemas = spec.calls.map((call) => argumentsOf(call, json));
  }

  write(): Rule {
    const { before = '', trigger } = this.#spec;
    const rule = this.#builder.rule();
    const [start, at] = [trigger === undefined ? rule.start : this.#free(rule, trigger), this.#builder.node()];
    const taken = trigger?.length ?? 0;
    this.#text(start, before.slice(taken), at);
    this.#calls({ start: at, end: rule.end }, before === '' ? taken : 0);
    return rule;
  }

  /** Words of the model's own until the trigger; gives the node behind it. */
  #free({ start, end }: Rule, trigger: string): number {
    const { calls, before = '' } = this.#spec;
    const begins = before === '' ? calls.map(({ begin }) => begin) : [before];
    if (trigger === '' || !begins.every((begin) => begin.startsWith(trigger)))
      throw new GrammarError('the calls do not begin with the trigger');
    const to = this.#builder.node();
    writeFree(this.#builder, { from: start, end, to, trigger, isSpecial: this.#specials.has(trigger) });
    return to;
  }

  /** Calls and what is between and behind them; the first `taken` characters of the first are written already. */
  #calls({ start, end }: Rule, taken: number): void {
    const { most = 1, separator = '', after = '' } = this.#spec;
    const whole = this.#call(0);
    let at = start;
    for (let count = 0; count < most; count += 1) {
      const [open, next] = [this.#builder.node(), this.#builder.node()];
      this.#text(at, count === 0 ? '' : separator, open);
      this.#builder.call(open, count === 0 && taken > 0 ? this.#call(taken) : whole, next);
      this.#text(next, after, end);
      at = next;
    }
  }

  /** One call of any tool, without the first characters of its text. */
  #call(without: number): Rule {
    const rule = this.#builder.rule();
    for (const [index, { begin, end }] of this.#spec.calls.entries()) {
      const [open, close] = [this.#builder.node(), this.#builder.node()];
      this.#text(rule.start, begin.slice(without), open);
      this.#builder.call(open, this.#schemas[index] ?? rule, close);
      this.#text(close, end, rule.end);
    }
    return rule;
  }

  #text(from: number, words: string, to: number): void {
    writeText(this.#builder, this.#specials, { from, words, to });
  }
}

function argumentsOf({ schema, loose }: CallSpec, json: JsonRules): Rule {
  try {
    return new SchemaWriter(json, parseSchema(schema)).root();
  } catch (error) {
    if (loose === true && error instanceof GrammarError) return json.anyObject();
    throw error;
  }
}

/** A text in which special tokens are written as such. */
function writeText(
  builder: NetworkBuilder,
  specials: ReadonlySet<string>,
  { from, words, to }: { from: number; words: string; to: number },
): void {
  const found = [...specials]
    .filter((special) => words.includes(special))
    .sort((one, other) => other.length - one.length);
  let at = from;
  for (const part of splitBy(words, found)) {
    const next = builder.node();
    if (found.includes(part)) special(builder, { from: at, token: part, to: next });
    else builder.text(at, part, next);
    at = next;
  }
  builder.empty(at, to);
}

function special(builder: NetworkBuilder, { from, token, to }: { from: number; token: string; to: number }): void {
  const marked = builder.node();
  builder.byte(from, [SPECIAL, SPECIAL], marked);
  builder.text(marked, token, to);
}

/** A text as its pieces and the marks between them. */
function splitBy(text: string, marks: readonly string[]): string[] {
  let pieces = [text];
  for (const mark of marks)
    pieces = pieces.flatMap((piece) =>
      marks.includes(piece)
        ? [piece]
        : piece.split(mark).flatMap((part, index) => (index === 0 ? [part] : [mark, part])),
    );
  return pieces.filter((piece) => piece !== '');
}

interface FreeText {
  readonly from: number;
  readonly end: number;
  readonly to: number;
  readonly trigger: string;
  readonly isSpecial: boolean;
}

/** Any text, which may end anywhere until the trigger is written, and goes on at `to` then. The places are how much of the trigger has just been written (Knuth, Morris, Pratt). */
function writeFree(builder: NetworkBuilder, { from, end, to, trigger, isSpecial }: FreeText): void {
  const wanted = isSpecial ? Buffer.alloc(0) : Buffer.from(trigger);
  if (isSpecial) special(builder, { from, token: trigger, to });
  const places = [from, ...Array.from({ length: Math.max(0, wanted.length - 1) }, () => builder.node())];
  const kept: number[] = [0];
  for (const [place, node] of places.entries()) {
    builder.empty(node, end);
    const bytes = new Set<number>();
    for (let length = place; ; length = kept[length - 1] ?? 0) {
      const byte = wanted[length];
      if (byte !== undefined && !bytes.has(byte)) {
        bytes.add(byte);
        builder.byte(node, [byte, byte], length + 1 === wanted.length ? to : (places[length + 1] ?? from));
      }
      if (length === 0) break;
    }
    let low = 0;
    for (const byte of [...bytes].sort((one, other) => one - other)) {
      if (byte > low) builder.byte(node, [low, byte - 1], from);
      low = byte + 1;
    }
    builder.byte(node, [low, LAST_BYTE], from);
    if (place > 0) kept[place] = prefixOf(wanted, kept, place);
  }
}

/** The longest beginning of the trigger that ends at a place of it and is not all up to there: the failure function, for the first `place + 1` bytes. */
function prefixOf(wanted: Buffer, kept: readonly number[], place: number): number {
  let length = kept[place - 1] ?? 0;
  while (length > 0 && wanted[length] !== wanted[place]) length = kept[length - 1] ?? 0;
  return wanted[length] === wanted[place] ? length + 1 : 0;
}
