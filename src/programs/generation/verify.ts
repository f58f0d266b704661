import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { RunTotals } from '../halving.ts';
import { goesOn } from '../stepping-run.ts';
import type { Bank } from './bank.ts';
import { compute } from './compute.ts';
import type { Decoder } from './decoder.ts';
import { outcomeOf, type Row } from './row.ts';

/**
 * A run of the last token of a bank's only row and of a draft behind it. Each token is chosen as it would be without the draft, by its own logits and the
 * row's own sampler, as long as the draft was right; what the run computed beyond that is dropped. Gives the row's outcome and what puts keys and values
 * into the bank; undefined where the graph does not give the logits of all tokens. Throws what ONNX Runtime throws.
 */
export async function verify(
  decoder: Decoder,
  bank: Bank<Row>,
  { row, draft, totals }: { row: Row; draft: readonly number[]; totals: RunTotals },
): Promise<{ outcome: TicketOutcome; keep: () => void } | undefined> {
  const ids = [[row.lastToken, ...draft]];
  const { every, keep } = await compute(decoder, bank, { ids, totals, every: true });
  if (every.length !== draft.length + 1) return undefined;
  let used = 0;
  let outcome: TicketOutcome;
  do {
    outcome = outcomeOf(row, every[used]);
    used += 1;
  } while (goesOn(outcome) && row.lastToken === draft[used - 1]);
  row.judge(draft.length, used - 1);
  return {
    outcome,
    keep: () => {
      keep(used);
    },
  };
}
