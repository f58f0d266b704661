import type { CompiledGrammar } from '../../grammar/compiled.ts';
import { Grammar } from '../../grammar/matcher.ts';

/** Grammars kept on a lane, and the memory of what is known about all but the latest. */
const MOST_KEPT = 64;
const MOST_BYTES = 64 * 2 ** 20;

/** The grammars of a lane: requests with equal ones share what is found out about them. */
export class LaneGrammars {
  readonly #kept = new Map<string, Grammar>();

  of(compiled: CompiledGrammar): Grammar {
    const grammar = this.#kept.get(compiled.key) ?? new Grammar(compiled);
    this.#kept.delete(compiled.key);
    let bytes = 0;
    for (const other of this.#kept.values()) bytes += other.bytes;
    for (const [key, other] of this.#kept) {
      if (this.#kept.size < MOST_KEPT && bytes <= MOST_BYTES) break;
      this.#kept.delete(key);
      bytes -= other.bytes;
    }
    this.#kept.set(compiled.key, grammar);
    return grammar;
  }
}
