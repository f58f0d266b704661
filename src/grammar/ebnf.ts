import { ALL, LAST_CHARACTER, without, type Range } from './characters.ts';
import { GrammarError } from './grammar-error.ts';
import type { NetworkBuilder, Rule } from './network.ts';
import { PatternWriter } from './writer.ts';

/** Adds the edges of an expression between two nodes. */
type Part = (from: number, to: number) => void;

const TOKENS =
  /\s+|#[^\n]*|(?<name>[A-Za-z_][\w-]*)|(?<is>::=)|(?<text>"(?:[^"\\\n]|\\.)*")|(?<set>\[(?:[^\]\\\n]|\\.)*\])|(?<times>\{\d{0,9}(?:,\d{0,9})?\})|(?<sign>[()|*+?.])/gsuy;
const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9 };
const MOST_TOKENS = 50_000;
const MOST_NESTED = 64;
/** A repetition with bounds is written out. */
const MOST_TIMES = 10_000;

interface Token {
  readonly kind: 'name' | 'is' | 'text' | 'set' | 'times' | 'sign';
  readonly text: string;
}

/**
 * Writes a grammar in EBNF as llama.cpp (GBNF), XGrammar and vLLM take it: `name ::= "text" [a-z] name ( ... ) | ...` with `* + ? {m,n}` and `.` for any character; its texts are those of
 * `root`. Throws GrammarError that says what is wrong and where. https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
 */
export function writeEbnf(builder: NetworkBuilder, text: string): Rule {
  return new EbnfReader(builder, text).read();
}

class EbnfReader {
  readonly #builder: NetworkBuilder;
  readonly #writer: PatternWriter;
  readonly #tokens: readonly Token[];
  readonly #rules = new Map<string, Rule>();
  readonly #defined = new Set<string>();
  #at = 0;
  #depth = 0;

  constructor(builder: NetworkBuilder, text: string) {
    this.#builder = builder;
    this.#writer = new PatternWriter(builder, { inJson: false });
    this.#tokens = tokensOf(text);
  }

  read(): Rule {
    while (this.#at < this.#tokens.length) {
      const name = this.#tokens[this.#at]?.text ?? '';
      if (!this.#beginsRule())
        throw new GrammarError(
          `the grammar cannot be used: a rule "name ::= ..." is expected at "${name.slice(0, 64)}"`,
        );
      if (this.#defined.has(name)) throw new GrammarError(`the grammar has two rules "${name.slice(0, 64)}"`);
      this.#defined.add(name);
      this.#at += 2;
      const { start, end } = this.#rule(name);
      this.#choice()(start, end);
      if (this.#at < this.#tokens.length && !this.#beginsRule())
        throw new GrammarError(
          `the grammar cannot be used: "${this.#tokens[this.#at]?.text ?? ''}" is not expected in rule "${name.slice(0, 64)}"`,
        );
    }
    for (const name of this.#rules.keys())
      if (!this.#defined.has(name)) throw new GrammarError(`the grammar has no rule "${name.slice(0, 64)}"`);
    if (!this.#defined.has('root')) throw new GrammarError('the grammar has no rule "root"');
    return this.#rule('root');
  }

  #rule(name: string): Rule {
    let rule = this.#rules.get(name);
    if (rule === undefined) this.#rules.set(name, (rule = this.#builder.rule()));
    return rule;
  }

  #beginsRule(): boolean {
    return this.#tokens[this.#at]?.kind === 'name' && this.#tokens[this.#at + 1]?.kind === 'is';
  }

  #choice(): Part {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return (from, to) => {
      for (const part of parts) part(from, to);
    };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    for (let part = this.#item(); part !== undefined; part = this.#item()) parts.push(this.#repeated(part));
    return (from, to) => {
      let at = from;
      for (const part of parts) {
        const next = this.#builder.node();
        part(at, next);
        at = next;
      }
      this.#builder.empty(at, to);
    };
  }

  #item(): Part | undefined {
    const token = this.#tokens[this.#at];
    if (token === undefined || this.#beginsRule()) return undefined;
    if (token.kind === 'sign' && token.text !== '(' && token.text !== '.') return undefined;
    if (token.kind === 'is' || token.kind === 'times') return undefined;
    this.#at += 1;
    if (token.kind === 'name') return (from, to) => this.#builder.call(from, this.#rule(token.text), to);
    if (token.kind === 'text') {
      const text = String.fromCodePoint(...characters(token.text.slice(1, -1)).map(({ point }) => point));
      return (from, to) => this.#builder.text(from, text, to);
    }
    if (token.kind === 'set') return (from, to) => this.#writer.set(setOf(token.text), from, to);
    if (token.text === '.') return (from, to) => this.#writer.set(ALL, from, to);
    return this.#group();
  }

  #group(): Part {
    this.#depth += 1;
    if (this.#depth > MOST_NESTED) throw new GrammarError(`the grammar has groups more than ${MOST_NESTED} deep`);
    const inner = this.#choice();
    this.#depth -= 1;
    if (!this.#take(')')) throw new GrammarError('the grammar cannot be used: "(" without ")"');
    return inner;
  }

  #repeated(part: Part): Part {
    const bounds = this.#bounds();
    if (bounds === undefined) return part;
    const [least, most] = bounds;
    if (most < least || least > MOST_TIMES || (most !== Infinity && most > MOST_TIMES))
      throw new GrammarError(`the grammar has a repetition whose bounds are out of order or above ${MOST_TIMES}`);
    const again = this.#repeated((from, to) => this.#write(part, { from, to, least, most }));
    return again;
  }

  #write(part: Part, { from, to, least, most }: { from: number; to: number; least: number; most: number }): void {
    const builder = this.#builder;
    const rule = builder.rule();
    part(rule.start, rule.end);
    let at = from;
    for (let count = 0; count < (most === Infinity ? least : most); count += 1) {
      const next = builder.node();
      if (count >= least) builder.empty(at, to);
      builder.call(at, rule, next);
      at = next;
    }
    if (most === Infinity) {
      const loop = builder.node();
      builder.empty(at, loop);
      builder.call(loop, rule, loop);
      at = loop;
    }
    builder.empty(at, to);
  }

  #bounds(): readonly [number, number] | undefined {
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    if (this.#take('?')) return [0, 1];
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'times') return undefined;
    this.#at += 1;
    const [least = '', most] = token.text.slice(1, -1).split(',');
    if (most === undefined) return [Number(least), Number(least)];
    return [Number(least), most === '' ? Infinity : Number(most)];
  }

  #take(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'sign' || token.text !== sign) return false;
    this.#at += 1;
    return true;
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKENS.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKENS.lastIndex) {
    TOKENS.lastIndex = at;
    const found = TOKENS.exec(text);
    if (found === null)
      throw new GrammarError(`the grammar cannot be used: it cannot be read from "${text.slice(at, at + 20)}" on`);
    const entry = Object.entries<string | undefined>(found.groups ?? {}).find(([, value]) => value !== undefined);
    if (entry !== undefined) tokens.push({ kind: entry[0] as Token['kind'], text: found[0] });
    if (tokens.length > MOST_TOKENS) throw new GrammarError(`the grammar has more than ${MOST_TOKENS} words`);
  }
  return tokens;
}

/** The characters of a text with backslashes. */
function characters(text: string): { point: number; escaped: boolean }[] {
  const found: { point: number; escaped: boolean }[] = [];
  const pattern = /\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|([^\\])/gsu;
  for (const [, two, four, eight, letter, plain] of text.matchAll(pattern)) {
    const hex = two ?? four ?? eight;
    const point = hex === undefined ? undefined : Number.parseInt(hex, 16);
    if (point !== undefined && (point > LAST_CHARACTER || (point >= 0xd800 && point <= 0xdfff)))
      throw new GrammarError('the grammar names half a character, or none');
    const escaped = letter === undefined ? undefined : (ESCAPES[letter] ?? letter.codePointAt(0));
    found.push({ point: point ?? escaped ?? plain?.codePointAt(0) ?? 0, escaped: plain === undefined });
  }
  return found;
}

/** The characters of a set in brackets. */
function setOf(text: string): readonly Range[] {
  const isWithout = text[1] === '^';
  const members = characters(text.slice(isWithout ? 2 : 1, -1));
  const ranges: Range[] = [];
  for (let at = 0; at < members.length; at += 1) {
    const low = members[at]?.point ?? 0;
    const [dash, last] = [members[at + 1], members[at + 2]];
    const isRange = dash?.point === 0x2d && !dash.escaped && last !== undefined;
    const high = isRange ? last.point : low;
    if (high < low)
      throw new GrammarError(`the grammar has a range of characters that is out of order: ${text.slice(0, 64)}`);
    ranges.push([low, high]);
    if (isRange) at += 2;
  }
  return isWithout ? without(ALL, ranges) : without(ranges, [[0xd800, 0xdfff]]);
}
