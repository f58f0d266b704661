import { ALL, without, type Range } from './characters.ts';
import type { NetworkBuilder, Rule } from './network.ts';
import { choice, literal, optional, repeat, sequence, set, type Pattern } from './pattern.ts';
import { PatternWriter, type Lengths } from './writer.ts';

/** Spaces behind a line's end: enough for eight levels, and few enough that an answer cannot consist of them. */
const MOST_SPACES = 16;
const MOST_TABS = 8;
const DIGIT = set([0x30, 0x39]);
/** Digits that a double holds, and exponents that keep it finite. */
const NUMBER = sequence(
  optional(literal('-')),
  choice(literal('0'), sequence(set([0x31, 0x39]), repeat(DIGIT, 0, 14))),
);
const FRACTION = optional(sequence(literal('.'), repeat(DIGIT, 1, 15)));
const EXPONENT = optional(
  sequence(set([0x45, 0x45], [0x65, 0x65]), optional(set([0x2b, 0x2b], [0x2d, 0x2d])), repeat(DIGIT, 1, 2)),
);
const HEX: Range[] = [
  [0x30, 0x39],
  [0x41, 0x46],
  [0x61, 0x66],
];

/** A property of an object: its name may be left out where it is not required. */
export interface Property {
  readonly name: string;
  readonly value: Rule;
  readonly required: boolean;
}

/** The rules of JSON, each made when it is first asked for. White space is at most a space, or a line's end with an indent. */
export class JsonRules {
  readonly builder: NetworkBuilder;
  /** Writes patterns between the quotes of strings. */
  readonly strings: PatternWriter;
  readonly #plain: PatternWriter;
  readonly #made = new Map<string, Rule>();

  constructor(builder: NetworkBuilder) {
    this.builder = builder;
    this.strings = new PatternWriter(builder, { inJson: true });
    this.#plain = new PatternWriter(builder, { inJson: false });
  }

  /** The texts of a pattern, without quotes: numbers and names. */
  plain(pattern: Pattern): Rule {
    const rule = this.builder.rule();
    this.#plain.write(pattern, { from: rule.start, to: rule.end });
    return rule;
  }

  /** Strings whose characters a pattern allows, as many as `lengths` says. */
  stringOf(pattern: Pattern, lengths?: Lengths): Rule {
    const { builder } = this;
    const rule = builder.rule();
    const [from, to] = [builder.node(), builder.node()];
    builder.text(rule.start, '"', from);
    this.strings.write(pattern, { from, to }, lengths);
    builder.text(to, '"', rule.end);
    return rule;
  }

  /** Strings of so many characters, in any spelling. */
  string({ least, most }: Lengths): Rule {
    return this.#once(`string ${least} ${most}`, ({ start, end }) => {
      const { builder } = this;
      let at = builder.node();
      builder.text(start, '"', at);
      const add = (to: number): void => builder.call(at, this.#character(), to);
      for (let count = 0; count < least; count += 1) {
        const next = builder.node();
        add(next);
        at = next;
      }
      const last = builder.node();
      if (most === Infinity) add(at);
      else
        for (let count = least; count < most; count += 1) {
          const next = builder.node();
          add(next);
          builder.empty(at, last);
          at = next;
        }
      builder.empty(at, last);
      builder.text(last, '"', end);
    });
  }

  get number(): Rule {
    return this.#once('number', (rule) => {
      this.#plain.write(sequence(NUMBER, FRACTION, EXPONENT), { from: rule.start, to: rule.end });
    });
  }

  get integer(): Rule {
    return this.#once('integer', (rule) => {
      this.#plain.write(NUMBER, { from: rule.start, to: rule.end });
    });
  }

  /** A value that is spelled out, as JSON.stringify writes it. */
  constant(value: unknown): Rule {
    const text = JSON.stringify(value);
    return this.#once(`constant ${text}`, ({ start, end }) => {
      this.builder.text(start, text, end);
    });
  }

  /** One of several values that are spelled out. */
  constants(values: readonly unknown[]): Rule {
    const rule = this.builder.rule();
    const texts = new Set(values.map((value) => JSON.stringify(value)));
    this.builder.texts(rule.start, [...texts], rule.end);
    return rule;
  }

  any(): Rule {
    return this.#once('any', ({ start, end }) => {
      const all = [this.string({ least: 0, most: Infinity }), this.number, this.anyObject(), this.anyArray()];
      for (const value of [true, false, null]) all.push(this.constant(value));
      for (const rule of all) this.builder.call(start, rule, end);
    });
  }

  anyObject(): Rule {
    return this.#once('object', (rule) => {
      this.objectInto(rule, [], this.any());
    });
  }

  anyArray(): Rule {
    return this.#once('array', (rule) => {
      this.arrayInto(rule, { first: [], others: this.any(), least: 0, most: Infinity });
    });
  }

  /** One of several. */
  oneOf(rules: readonly Rule[]): Rule {
    const { start, end } = this.builder.rule();
    for (const rule of rules) this.builder.call(start, rule, end);
    return { start, end };
  }

  /** Objects with these properties in this order, and behind them any number of others whose values `others` allows. */
  objectInto({ start, end }: Rule, properties: readonly Property[], others: Rule | undefined): void {
    const { builder } = this;
    /** Nodes in front of the next property: no property yet, or some. */
    let none: number | undefined = builder.node();
    let some: number | undefined;
    builder.text(start, '{', none);
    for (const { name, value, required } of properties) {
      const written = builder.node();
      const [named, after] = [builder.node(), builder.node()];
      builder.text(named, `${JSON.stringify(name).slice(1)}:`, after);
      this.#value(after, value, written);
      if (none !== undefined) this.#spaced('', none, (at) => builder.text(at, '"', named));
      if (some !== undefined) this.#spaced(',', some, (at) => builder.text(at, '"', named));
      if (!required && some !== undefined) builder.empty(some, written);
      if (required) none = undefined;
      some = written;
    }
    if (others !== undefined) some = this.#others({ none, some }, properties, others);
    for (const last of [none, some]) if (last !== undefined) this.#spaced('', last, (at) => builder.text(at, '}', end));
  }

  /** Further properties, any number of them; gives the node behind them. */
  #others(
    { none, some }: { none: number | undefined; some: number | undefined },
    properties: readonly Property[],
    others: Rule,
  ): number {
    const { builder } = this;
    const key = this.#otherName(properties.map(({ name }) => name));
    const written = builder.node();
    const named = builder.node();
    const after = builder.node();
    builder.text(named, ':', after);
    this.#value(after, others, written);
    for (const before of [some, written])
      if (before !== undefined) this.#spaced(',', before, (at) => builder.call(at, key, named));
    if (none !== undefined) this.#spaced('', none, (at) => builder.call(at, key, named));
    if (some !== undefined) builder.empty(some, written);
    return written;
  }

  /** Arrays with the first values in order, and behind them others, `least` to `most` values together. */
  arrayInto(
    { start, end }: Rule,
    { first, others, least, most }: { first: readonly Rule[]; others: Rule | undefined; least: number; most: number },
  ): void {
    const { builder } = this;
    let at = builder.node();
    builder.text(start, '[', at);
    const close = (from: number): void => this.#spaced('', from, (near) => builder.text(near, ']', end));
    const last = Math.min(most, others === undefined ? first.length : Infinity);
    const unrolled = last === Infinity ? Math.max(least, first.length, 1) : last;
    if (least === 0) close(at);
    for (let count = 0; count < unrolled; count += 1) {
      const value = first[count] ?? others;
      if (value === undefined) break;
      const next = builder.node();
      this.#spaced(count === 0 ? '' : ',', at, (near) => builder.call(near, value, next));
      at = next;
      if (count + 1 >= least) close(at);
    }
    if (last === Infinity && others !== undefined) this.#spaced(',', at, (near) => builder.call(near, others, at));
  }

  /** A text, white space, and what `then` adds behind it. */
  #spaced(text: string, from: number, then: (at: number) => void): void {
    const { builder } = this;
    const [written, spaced] = [builder.node(), builder.node()];
    builder.text(from, text, written);
    builder.call(written, this.#space(), spaced);
    then(written);
    then(spaced);
  }

  /** A value behind its name. */
  #value(from: number, value: Rule, to: number): void {
    const spaced = this.builder.node();
    this.builder.text(from, ' ', spaced);
    this.builder.call(from, value, to);
    this.builder.call(spaced, value, to);
  }

  /** White space, at least one character. */
  #space(): Rule {
    return this.#once('space', ({ start, end }) => {
      const pattern = choice(
        literal(' '),
        sequence(literal('\n'), choice(repeat(literal(' '), 0, MOST_SPACES), repeat(literal('\t'), 1, MOST_TABS))),
      );
      this.#plain.write(pattern, { from: start, to: end });
    });
  }

  /** One character of a string, in any spelling. */
  #character(): Rule {
    return this.#once('character', ({ start, end }) => {
      const { builder } = this;
      this.strings.set(
        without(ALL, [
          [0, 0x1f],
          [0x22, 0x22],
          [0x5c, 0x5c],
        ]),
        start,
        end,
      );
      const escape = builder.node();
      builder.text(start, '\\', escape);
      for (const letter of '"\\/bfnrt') builder.text(escape, letter, end);
      const hex = (count: number): Pattern => repeat({ kind: 'set', ranges: HEX }, count, count);
      const d = set([0x44, 0x44], [0x64, 0x64]);
      const notD = {
        kind: 'set',
        ranges: without(HEX, [
          [0x44, 0x44],
          [0x64, 0x64],
        ]),
      } as const;
      const high = sequence(d, set([0x38, 0x39], [0x41, 0x42], [0x61, 0x62]), hex(2));
      const low = sequence(d, set([0x43, 0x46], [0x63, 0x66]), hex(2));
      const other = choice(sequence(notD, hex(3)), sequence(d, set([0x30, 0x37]), hex(2)));
      const pattern = sequence(literal('u'), choice(other, sequence(high, literal('\\u'), low)));
      this.#plain.write(pattern, { from: escape, to: end });
    });
  }

  /** A name in quotes that is none of these, spelled in one way only, so that no name is one of these in other letters. */
  #otherName(names: readonly string[]): Rule {
    const { builder } = this;
    const { start, end } = builder.rule();
    const free = builder.node();
    const root = builder.node();
    builder.text(start, '"', root);
    builder.text(free, '"', end);
    this.strings.set(ALL, free, free);
    const open = [{ node: root, rests: names.map((name) => Array.from(name)) }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { node, rests } = next;
      if (!rests.some(({ length }) => length === 0)) builder.text(node, '"', end);
      const firsts = new Set(rests.flatMap(([first]) => (first === undefined ? [] : [first])));
      const points = [...firsts].map((first): Range => [first.codePointAt(0) ?? 0, first.codePointAt(0) ?? 0]);
      this.strings.set(without(ALL, points), node, free);
      for (const first of firsts) {
        const child = builder.node();
        this.strings.set([[first.codePointAt(0) ?? 0, first.codePointAt(0) ?? 0]], node, child);
        open.push({ node: child, rests: rests.filter(([one]) => one === first).map(([, ...rest]) => rest) });
      }
    }
    return { start, end };
  }

  /** A rule that is made once; known before it is made, so that it may call itself. */
  #once(name: string, make: (rule: Rule) => void): Rule {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const rule = this.builder.rule();
    this.#made.set(name, rule);
    make(rule);
    return rule;
  }
}
