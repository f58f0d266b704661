import type { Bank } from './bank.ts';
import type { Decoder, PassResult } from './decoder.ts';
import type { Row } from './row.ts';

/** New tokens of rows of a bank. */
export interface Computation {
  /** The first of the rows; default: that of the bank. */
  readonly from?: number;
  /** The new tokens of each row, the same number for all. */
  readonly ids: readonly ArrayLike<number>[];
  /** The time of the run is added to it. */
  readonly totals: { runMs: number };
  /** The logits of all these tokens are wanted. */
  readonly every?: boolean;
}

export interface Computed extends Pick<PassResult, 'logits' | 'every'> {
  /** Puts the new keys and values into the bank: of all new tokens, or of the first `tokens`. */
  readonly keep: (tokens?: number) => void;
}

/** Runs a decoder on new tokens. The bank is unchanged until `keep` is called. Throws what ONNX Runtime throws. */
export async function compute(
  decoder: Decoder,
  bank: Bank<Row>,
  { from = 0, ids, totals, every: wantsEvery }: Computation,
): Promise<Computed> {
  const startMs = performance.now();
  const count = ids.length;
  const { logits, every, parts } = await decoder.run({
    ids,
    pasts: bank.rows.slice(from, from + count).map(({ cached }) => cached),
    cache: bank.views(from, count),
    capacity: bank.capacity,
    every: wantsEvery,
  });
  totals.runMs += performance.now() - startMs;
  return {
    logits,
    every,
    keep: (tokens = ids[0]?.length ?? 0) => {
      bank.store(parts, { from, count, tokens });
    },
  };
}
