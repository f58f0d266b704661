import { Bank } from './bank.ts';
import type { DecoderLayout } from './layout.ts';
import { plainSampling } from '../sampler/token-sampler.ts';
import { Row } from './row.ts';

/** A row that warms the decoder up; nobody waits for it. */
export function madeUp(id: number): Row {
  return new Row(id, Int32Array.of(0), { sampling: plainSampling(0, 0), maxTokens: 1, stopTokens: [] });
}

/** Made-up rows in a bank of their own, each with so many tokens in its cache. */
export function madeUpBank(layout: DecoderLayout, rows: number, tokens: number): Bank<Row> {
  const bank = new Bank<Row>(layout, (count) => count);
  for (let index = 0; index < rows; index += 1) {
    const row = madeUp(index);
    row.cached = tokens;
    bank.add(row);
  }
  return bank;
}
