import { common, utf8Sequences, without, type Range } from './characters.ts';
import { GrammarError } from './grammar-error.ts';
import type { NetworkBuilder, Rule } from './network.ts';
import type { Pattern } from './pattern.ts';

/** Characters in the steps of a pattern, once quantifiers are written out; more is refused before memory is taken. */
const MOST_STEPS = 100_000;

export interface Lengths {
  /** Characters. */
  readonly least: number;
  readonly most: number;
}

const ANY_LENGTH: Lengths = { least: 0, most: Infinity };

/** Characters that JSON writes as a backslash and a letter, and the others that it does not take as they are. */
const SHORT_ESCAPES = new Map<number, string>([
  ...([
    [0x08, 'b'],
    [0x09, 't'],
    [0x0a, 'n'],
    [0x0c, 'f'],
    [0x0d, 'r'],
  ] as const),
  ...([
    [0x22, '"'],
    [0x5c, '\\'],
  ] as const),
]);
const ESCAPED: readonly Range[] = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];

/** Writes patterns into a network: as they are, or as they stand between the quotes of a JSON string. */
export class PatternWriter {
  readonly #builder: NetworkBuilder;
  readonly #inJson: boolean;
  readonly #sets = new Map<string, Rule>();

  constructor(builder: NetworkBuilder, { inJson }: { inJson: boolean }) {
    this.#builder = builder;
    this.#inJson = inJson;
  }

  /** Edges from `from` to `to` for the texts of a pattern that have so many characters. Throws GrammarError if they are too many. */
  write(pattern: Pattern, { from, to }: { from: number; to: number }, lengths = ANY_LENGTH): void {
    const steps = new Steps();
    const start = steps.place();
    const end = steps.add(pattern, start);
    const counts = lengths.most === Infinity ? lengths.least : lengths.most;
    if (counts === 0 && lengths.most > 0) this.#copy(steps, { start, end, from, to });
    else this.#count(steps, { start, end, from, to }, lengths);
  }

  #copy(steps: Steps, { start, end, from, to }: Ends): void {
    const nodes = Array.from({ length: steps.places }, () => this.#builder.node());
    const at = (place: number): number => nodes[place] ?? 0;
    for (const [one, other] of steps.empty) this.#builder.empty(at(one), at(other));
    for (const { ranges, one, other } of steps.sets) this.set(ranges, at(one), at(other));
    this.#builder.empty(from, at(start));
    this.#builder.empty(at(end), to);
  }

  /** A place for each step of the pattern and each number of characters: beyond the least number, they count no further if there is no most. */
  #count(steps: Steps, { start, end, from, to }: Ends, { least, most }: Lengths): void {
    const last = most === Infinity ? least : most;
    const rows = Array.from({ length: last + 1 }, () =>
      Array.from({ length: steps.places }, () => this.#builder.node()),
    );
    const at = (count: number, place: number): number => rows[count]?.[place] ?? 0;
    for (let count = 0; count <= last; count += 1) {
      for (const [one, other] of steps.empty) this.#builder.empty(at(count, one), at(count, other));
      const next = count === last && most === Infinity ? count : count + 1;
      if (next <= last)
        for (const { ranges, one, other } of steps.sets) this.set(ranges, at(count, one), at(next, other));
      if (count >= least) this.#builder.empty(at(count, end), to);
    }
    this.#builder.empty(from, at(0, start));
  }

  /** Edges for one character of a set. */
  set(ranges: readonly Range[], from: number, to: number): void {
    const plain = ranges.every(([, high]) => high <= 0x7f) && (!this.#inJson || common(ranges, ESCAPED).length === 0);
    if (plain) {
      for (const range of ranges) this.#builder.byte(from, range, to);
      return;
    }
    const key = ranges.join(';');
    let rule = this.#sets.get(key);
    if (rule === undefined) {
      rule = this.#builder.rule();
      this.#sets.set(key, rule);
      this.#bytes(ranges, rule);
    }
    this.#builder.call(from, rule, to);
  }

  #bytes(ranges: readonly Range[], { start, end }: Rule): void {
    const bare = this.#inJson ? without(ranges, ESCAPED) : ranges;
    for (const range of bare) for (const sequence of utf8Sequences(range)) this.#builder.sequence(start, sequence, end);
    if (!this.#inJson) return;
    for (const [low, high] of common(ranges, ESCAPED))
      for (let character = low; character <= high; character += 1) this.#builder.text(start, escapeOf(character), end);
  }
}

interface Ends {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

function escapeOf(character: number): string {
  const letter = SHORT_ESCAPES.get(character);
  return letter === undefined ? `\\u${character.toString(16).padStart(4, '0')}` : `\\${letter}`;
}

/** The steps of a pattern: places with edges that take a character of a set, or nothing (Thompson's construction). */
class Steps {
  readonly empty: [number, number][] = [];
  readonly sets: { readonly ranges: readonly Range[]; readonly one: number; readonly other: number }[] = [];
  places = 0;

  place(): number {
    this.places += 1;
    if (this.places > MOST_STEPS) throw new GrammarError(`a pattern has more than ${MOST_STEPS} steps`);
    return this.places - 1;
  }

  /** Adds a pattern behind a place, and gives the place behind the pattern. */
  add(pattern: Pattern, from: number): number {
    if (pattern.kind === 'set') {
      const to = this.place();
      this.sets.push({ ranges: pattern.ranges, one: from, other: to });
      return to;
    }
    if (pattern.kind === 'repeat') return this.#repeat(pattern, from);
    if (pattern.kind === 'sequence') {
      let at = from;
      for (const part of pattern.parts) at = this.add(part, at);
      return at;
    }
    const to = this.place();
    for (const part of pattern.parts) this.empty.push([this.add(part, this.#behind(from)), to]);
    return to;
  }

  #repeat({ part, least, most }: Pattern & { kind: 'repeat' }, from: number): number {
    let at = from;
    for (let count = 0; count < least; count += 1) at = this.add(part, at);
    if (most === Infinity) {
      const loop = this.#behind(at);
      this.empty.push([this.add(part, this.#behind(loop)), loop]);
      return this.#behind(loop);
    }
    const to = this.place();
    for (let count = least; count < most; count += 1) {
      this.empty.push([at, to]);
      at = this.add(part, this.#behind(at));
    }
    this.empty.push([at, to]);
    return to;
  }

  #behind(from: number): number {
    const to = this.place();
    this.empty.push([from, to]);
    return to;
  }
}
