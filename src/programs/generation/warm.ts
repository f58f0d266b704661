import type { WarmAnswer } from '../../lanes/protocol.ts';
import type { GenerationOptions } from '../../tasks/chat/generation.ts';
import type { WarmPlan } from '../program.ts';
import { plainSampling } from '../sampler/token-sampler.ts';
import { WarmBudget } from '../warm-budget.ts';
import { Bank } from './bank.ts';
import { compute } from './compute.ts';
import type { Decoder } from './decoder.ts';
import type { DecoderLayout } from './layout.ts';
import { Row } from './row.ts';

/** Tokens in the cache of made-up rows. */
const WARM_TOKENS = 64;

export interface WarmDecoder extends Pick<WarmPlan, 'sizes' | 'budget'> {
  readonly decoder: Decoder;
  readonly options: GenerationOptions;
  /** No row shares a run with another. */
  readonly alone: boolean;
}

/** Computes a piece of a prompt, and a step of as many made-up rows as each size says. */
export async function warmDecoder({
  decoder,
  options,
  alone,
  sizes,
  budget: limits,
}: WarmDecoder): Promise<WarmAnswer['runs']> {
  const { layout } = decoder;
  const chunk = Math.min(options.prefillChunk, options.contextTokens);
  await compute(decoder, madeUpBank(layout, 1, 0), { ids: [new Int32Array(chunk)], totals: { runMs: 0 } });
  const runs = [];
  const budget = new WarmBudget(limits);
  const tokens = Math.min(WARM_TOKENS, options.contextTokens);
  for (const items of sizes) {
    if (!budget.allows(items)) break;
    const banks = (alone ? Array<number>(items).fill(1) : [items]).map((rows) => madeUpBank(layout, rows, tokens));
    const runMs = await budget.time(items, async () => {
      const totals = { runMs: 0 };
      for (const bank of banks) await compute(decoder, bank, { ids: bank.rows.map(() => [0]), totals });
      return totals.runMs;
    });
    runs.push({ items, runMs, shapeKey: 'step' });
  }
  return runs;
}

/** Made-up rows in a separate bank, each with this many tokens in its cache. */
function madeUpBank(layout: DecoderLayout, rows: number, tokens: number): Bank<Row> {
  const bank = new Bank<Row>(layout, (count) => count);
  for (let index = 0; index < rows; index += 1) {
    const parameters = { sampling: plainSampling(0, 0), maxTokens: 1, stopTokens: [] };
    const row = new Row(index, Int32Array.of(0), parameters);
    row.cached = tokens;
    bank.add(row);
  }
  return bank;
}
