import { runInNewContext } from 'node:vm';
import { CommandRefused } from './refused.ts';

/** A pattern that takes longer for the names of one folder is refused: its regular expression may take for ever. */
const LIMIT_MS = 200;
/** A program may make files with new names for days. */
const MOST_KNOWN = 100_000;

/** Tells which names a job's regular expression matches. It comes from outside, so it is run with a time limit. */
export class NamePattern {
  readonly #pattern: string | undefined;
  readonly #known = new Map<string, boolean>();

  /** Undefined matches all names. */
  constructor(pattern: string | undefined) {
    this.#pattern = pattern;
  }

  /** Throws a CommandRefused if it is no regular expression, or takes too long. */
  filter<Named>(items: readonly Named[], nameOf: (item: Named) => string): readonly Named[] {
    if (this.#pattern === undefined) return items;
    if (this.#known.size > MOST_KNOWN) this.#known.clear();
    const unknown = items.map(nameOf).filter((name) => !this.#known.has(name));
    if (unknown.length > 0) {
      const matches = this.#match(this.#pattern, unknown);
      for (const [index, name] of unknown.entries()) this.#known.set(name, matches[index] === true);
    }
    return items.filter((item) => this.#known.get(nameOf(item)));
  }

  #match(pattern: string, names: readonly string[]): readonly unknown[] {
    const expression = '{ const regex = new RegExp(pattern); names.map((name) => regex.test(name)); }';
    try {
      return runInNewContext(expression, { pattern, names }, { timeout: LIMIT_MS }) as readonly unknown[];
    } catch (error) {
      const problem = String(error).slice(0, 200);
      throw new CommandRefused(`sync: the pattern ${pattern.slice(0, 200)} cannot be used: ${problem}`);
    }
  }
}
