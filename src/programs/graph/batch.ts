import type { LaneTicket, RunAnswer, TicketOutcome } from '../../lanes/protocol.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import type { LaneSession } from '../../onnx/session.ts';
import { countRows, split, stack } from '../../tensors/rows.ts';
import { runHalving, type RunTotals } from '../halving.ts';

/** What a batch needs of a session. */
export type BatchSession = Pick<LaneSession, 'signature' | 'maxItems' | 'run'>;

/** Inputs of one ticket, in signature order. */
type TicketInputs = readonly Tensor[];

/** Runs tickets as one batch, with halving; where memory runs out, the session remembers how many items fit. */
export async function runBatch(session: BatchSession, tickets: readonly LaneTicket[]): Promise<RunAnswer> {
  const answer = await runHalving(
    tickets.map(({ inputs }) => inputs ?? []),
    {
      runWhole: (part, totals) => runWhole(session, part, totals),
      onOutOfMemory(part) {
        const rows = rowsOf(session, part).reduce((sum, count) => sum + count, 0);
        session.maxItems = Math.max(1, Math.min(session.maxItems ?? Infinity, Math.floor(rows / 2)));
      },
    },
  );
  return { ...answer, ...(session.maxItems === undefined ? {} : { maxItems: session.maxItems }) };
}

async function runWhole(
  session: BatchSession,
  tickets: readonly TicketInputs[],
  totals: RunTotals,
): Promise<TicketOutcome[]> {
  const { signature } = session;
  const startMs = performance.now();
  const batch = signature.inputs.map(({ batchAxis }, index) => {
    const parts = tickets.map((inputs) => inputs[index]).filter((tensor) => tensor !== undefined);
    // A tensor without a batch axis is equal for all tickets of a batch: the shape key holds its value.
    return stack(batchAxis === null ? parts.slice(0, 1) : parts, batchAxis ?? 0);
  });
  const stackedMs = performance.now();
  totals.stackMs += stackedMs - startMs;
  const { outputs, runMs } = await session.run(batch);
  totals.runMs += runMs;
  const splitStartMs = performance.now();
  const outcomes = tickets.length === 1 ? [{ ok: true as const, outputs }] : splitOutputs(session, tickets, outputs);
  totals.splitMs += performance.now() - splitStartMs;
  return outcomes;
}

function splitOutputs(
  session: BatchSession,
  tickets: readonly TicketInputs[],
  outputs: readonly Tensor[],
): TicketOutcome[] {
  const rows = rowsOf(session, tickets);
  const parts = session.signature.outputs.map(({ batchAxis }, index) => {
    const output = outputs[index];
    if (output === undefined) throw new Error('an output is missing');
    return batchAxis === null ? tickets.map(() => output) : split(output, batchAxis, rows);
  });
  return tickets.map((_, ticket) => ({
    ok: true,
    outputs: parts.map((tensors) => tensors[ticket]).filter((tensor) => tensor !== undefined),
  }));
}

function rowsOf(session: BatchSession, tickets: readonly TicketInputs[]): number[] {
  return tickets.map((inputs) => countRows(session.signature, inputs));
}
