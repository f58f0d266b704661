import type { RunAnswer, TicketOutcome } from '../lanes/protocol.ts';
import { failed, lackOf } from './failure.ts';
import { messageOf } from '../errors.ts';

/** Milliseconds spent in the runs of one batch, however often it was cut. */
export interface RunTotals {
  runMs: number;
  stackMs: number;
  splitMs: number;
}

export interface HalvingOptions<Ticket> {
  /** Runs tickets together and adds its times to `totals`. Throws what ONNX Runtime throws. */
  readonly runWhole: (tickets: readonly Ticket[], totals: RunTotals) => Promise<readonly TicketOutcome[]>;
  /** These tickets together did not fit in memory. */
  readonly onOutOfMemory?: (tickets: readonly Ticket[]) => void;
}

/**
 * Runs tickets as one batch. A batch that fails or does not fit in memory is halved until only those tickets fail that fail alone.
 * After the loss of a CUDA device, all remaining tickets fail. Without tickets nothing is run.
 */
export async function runHalving<Ticket>(
  tickets: readonly Ticket[],
  { runWhole, onOutOfMemory }: HalvingOptions<Ticket>,
): Promise<RunAnswer> {
  const totals: RunTotals = { runMs: 0, stackMs: 0, splitMs: 0 };
  let fatal: string | undefined;
  const runPart = async (part: readonly Ticket[]): Promise<readonly TicketOutcome[]> => {
    if (part.length === 0) return [];
    const lost = fatal;
    if (lost !== undefined) return part.map(() => failed(lost));
    try {
      return await runWhole(part, totals);
    } catch (error) {
      const message = messageOf(error);
      const lack = lackOf(message);
      if (lack === 'device') fatal = message;
      if (part.length === 1 || fatal !== undefined) return part.map(() => failed(message));
      if (lack === 'memory') onOutOfMemory?.(part);
      const half = Math.ceil(part.length / 2);
      return [...(await runPart(part.slice(0, half))), ...(await runPart(part.slice(half)))];
    }
  };
  const outcomes = await runPart(tickets);
  return { ok: true, outcomes, ...totals, ...(fatal === undefined ? {} : { fatal }) };
}
