import type { Failure, RunAnswer, TicketOutcome } from '../pool/messages.ts';
import type { Tensor } from '../tensor.ts';
import type { LaneSession } from './session.ts';
import { countRows, split, stack } from '../rows.ts';

/** What a batch needs of a session. */
export type BatchSession = Pick<LaneSession, 'signature' | 'maxItems' | 'countBatch' | 'run'>;

/** Inputs of one ticket, in signature order. */
type TicketInputs = readonly Tensor[];

interface Totals {
  runMs: number;
  stackMs: number;
  splitMs: number;
  fatal: string | undefined;
}

/**
 * Runs tickets as one batch. When it fails the batch is cut in halves until only the tickets fail that fail alone; an
 * out-of-memory halves likewise and teaches the session what fits; a lost CUDA device fails all that is left.
 */
export async function runBatch(session: BatchSession, tickets: readonly TicketInputs[]): Promise<RunAnswer> {
  session.countBatch();
  const totals: Totals = { runMs: 0, stackMs: 0, splitMs: 0, fatal: undefined };
  const outcomes = await runPart(session, tickets, totals);
  const { runMs, stackMs, splitMs, fatal } = totals;
  return {
    ok: true,
    outcomes,
    runMs,
    stackMs,
    splitMs,
    ...(session.maxItems === undefined ? {} : { maxItems: session.maxItems }),
    ...(fatal === undefined ? {} : { fatal }),
  };
}

async function runPart(
  session: BatchSession,
  tickets: readonly TicketInputs[],
  totals: Totals,
): Promise<TicketOutcome[]> {
  if (totals.fatal !== undefined) return tickets.map(() => failed(totals.fatal ?? ''));
  try {
    return await runWhole(session, tickets, totals);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const memory = isOutOfMemory(message);
    if (!memory && isDeviceLost(message)) totals.fatal = message;
    if (tickets.length === 1 || totals.fatal !== undefined) return tickets.map(() => failed(message));
    const half = Math.ceil(tickets.length / 2);
    if (memory) {
      const rows = rowsOf(session, tickets).reduce((sum, count) => sum + count, 0);
      session.maxItems = Math.max(1, Math.min(session.maxItems ?? Infinity, Math.floor(rows / 2)));
    }
    return [
      ...(await runPart(session, tickets.slice(0, half), totals)),
      ...(await runPart(session, tickets.slice(half), totals)),
    ];
  }
}

async function runWhole(
  session: BatchSession,
  tickets: readonly TicketInputs[],
  totals: Totals,
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
  const { outputs, runMs } = await session.run(batch, { simulate: true });
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

function isOutOfMemory(message: string): boolean {
  return /out of memory|failed to allocate memory|bad_alloc|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED/i.test(
    message,
  );
}

/** Errors after which a CUDA context answers nothing any more, by the names CUDA and ONNX Runtime give them. */
function isDeviceLost(message: string): boolean {
  return /CUDA error|CUDA failure|CUDNN failure|CUBLAS failure|device-side assert|illegal memory access|cudaError/i.test(
    message,
  );
}

/** ONNX Runtime's text without file paths: it says which node refused which shape, which is what the client needs. */
function failed(message: string): Failure {
  if (isOutOfMemory(message))
    return { ok: false, code: 'TOO_LARGE', message: 'This input needs more memory than the device has.' };
  if (isDeviceLost(message))
    return { ok: false, code: 'LANE_LOST', message: 'The device running this request was lost.', fatal: true };
  const text = message
    .replace(/(?:[A-Za-z]:)?[\\/][^\s:'"]*[\\/][^\s:'"]*/g, '')
    .replaceAll(/\s+/g, ' ')
    .slice(0, 300);
  return { ok: false, code: 'INFERENCE_FAILED', message: `The model could not be run on this input: ${text}` };
}
