import type { Bank } from './bank.ts';
import type { Row } from './row.ts';

/** A ticket whose prompt is being computed, in a bank of its own. */
export interface Prefilling {
  readonly row: Row;
  bank: Bank<Row>;
  /** Runs in which only others' prompts were computed. */
  passed: number;
}

/** Rows whose prompts are not computed yet. */
export class PrefillQueue {
  readonly #chunkTokens: number;
  #all: Prefilling[] = [];

  /** `chunkTokens`: most tokens of a run. */
  constructor(chunkTokens: number) {
    this.#chunkTokens = chunkTokens;
  }

  get count(): number {
    return this.#all.length;
  }

  get banks(): readonly Bank<Row>[] {
    return this.#all.map(({ bank }) => bank);
  }

  add(row: Row, bank: Bank<Row>): void {
    this.#all.push({ row, bank, passed: 0 });
  }

  remove(leaves: (row: Row) => boolean): void {
    this.#all = this.#all.filter(({ row }) => !leaves(row));
  }

  /** Short prompts come before long ones, but a prompt that was passed over gains on them. */
  byTurn(): Prefilling[] {
    const left = ({ row, passed }: Prefilling): number =>
      row.prompt.length - row.cached - (passed * this.#chunkTokens) / 2;
    return this.#all.toSorted((one, other) => left(one) - left(other));
  }

  /** A run computed something for these. */
  served(those: ReadonlySet<Prefilling>): void {
    for (const newcomer of this.#all) if (!those.has(newcomer)) newcomer.passed += 1;
  }
}

/** Smaller pieces cost much more a token (on a CPU a piece of 16 costs two thirds of one of 32), so that prompts would be read too slowly. */
const LEAST_TOKENS = 32;

/** Most prompt tokens of a run that should take no longer than `limitMs`, where a token takes `tokenMs` (undefined: unknown); at most `chunk`. */
export function tokensWithin(limitMs: number, tokenMs: number | undefined, chunk: number): number {
  if (limitMs === Infinity) return chunk;
  return Math.min(chunk, Math.max(LEAST_TOKENS, tokenMs === undefined ? 0 : Math.floor(limitMs / tokenMs)));
}

export interface PieceRules {
  /** Tokens that the run may still compute. */
  readonly rest: number;
  /** Most tokens of a piece. */
  readonly most: number;
  /** Most tokens of a run. */
  readonly chunk: number;
  /** A prompt must be cut into the same pieces whatever else there is to do. */
  readonly fixed: boolean;
}

/** How many tokens of a row's prompt are computed now; 0: none. A short prompt is computed as a whole, a long one as far as there is room. */
export function pieceOf(row: Row, { rest, most, chunk, fixed }: PieceRules): number {
  const tokens = row.prompt.length - row.cached;
  const piece = Math.min(tokens, chunk, most);
  if (fixed) return piece <= rest ? piece : 0;
  return tokens > rest && tokens <= chunk ? 0 : Math.min(piece, rest);
}
