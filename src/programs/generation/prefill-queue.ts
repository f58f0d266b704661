import type { Bank } from './bank.ts';
import type { Row } from './row.ts';

/** A ticket whose prompt is being computed, in a bank of its own. */
export interface Prefilling {
  readonly row: Row;
  bank: Bank<Row>;
  /** Runs in which others' prompts were computed and nothing of its own. */
  passed: number;
}

/** Those whose prompts are not computed yet. */
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

  /** Short prompts before long ones, but none is passed again and again. */
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

export interface PieceRules {
  /** Tokens that the run may still compute. */
  readonly rest: number;
  /** Most tokens of a piece, where each gives its logits. */
  readonly most: number;
  /** Most tokens of a run. */
  readonly chunk: number;
  /** What a run holds changes the answers: a prompt's pieces must be the same whatever else there is to do. */
  readonly alone: boolean;
}

/** How many tokens of a row's prompt are computed now; 0: none. A short prompt is computed whole, of a long one what there is room for. */
export function pieceOf(row: Row, { rest, most, chunk, alone }: PieceRules): number {
  const tokens = row.prompt.length - row.cached;
  const piece = Math.min(tokens, chunk, most);
  if (alone) return piece <= rest ? piece : 0;
  return tokens > rest && tokens <= chunk ? 0 : Math.min(piece, rest);
}
