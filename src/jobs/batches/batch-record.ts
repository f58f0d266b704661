import { z } from 'zod';
import { once } from '../../once.ts';
import { BEGINNING } from '../file/checkpoint.ts';
import type { Change } from '../local/database.ts';

/** As OpenAI names them; the last four have ended. https://platform.openai.com/docs/guides/batch */
export const BATCH_STATUSES = [
  'validating',
  'in_progress',
  'finalizing',
  'cancelling',
  'failed',
  'completed',
  'expired',
  'cancelled',
] as const;
export type BatchStatus = (typeof BATCH_STATUSES)[number];

const PROBLEM = z.object({
  code: z.string(),
  message: z.string(),
  param: z.string().nullable(),
  /** Of the input; null: of none. */
  line: z.int().nullable(),
});

/** Why a batch has failed. */
export type BatchProblem = Readonly<z.infer<typeof PROBLEM>>;

const count = z.int().min(0);

/** What is known of a batch. Times are of the wall clock. */
const RECORD = z.object({
  id: z.string(),
  status: z.enum(BATCH_STATUSES),
  /** Name of the API key that it came with. */
  owner: z.string().nullable().default(null),
  endpoint: z.string(),
  inputId: z.string(),
  /** As the client wrote it. */
  window: z.string(),
  metadata: z.record(z.string(), z.string()).nullable(),
  webhook: z.string().nullable(),
  /** How long its files are kept; null: as long as any. */
  outputTtlMs: z.number().nullable(),
  createdMs: z.number(),
  expiresMs: z.number(),
  /** When it came to each later status. */
  times: z.partialRecord(z.enum(BATCH_STATUSES), z.number()),
  problems: z.array(PROBLEM),
  /** Lines of the input; 0 until they are counted. */
  lines: count,
  /** Files of its results and errors. They are files once it has ended, if there is anything in them. */
  outputId: z.string(),
  errorId: z.string(),
  checkpoint: z.object({
    nextByte: count,
    nextLine: z.int().min(1),
    resultsBytes: count,
    errorsBytes: count,
    answered: count,
    failed: count,
  }),
  /** How often it was begun at this checkpoint by a process that did not say how it ended. */
  starts: count,
});

export type BatchRecord = Readonly<z.infer<typeof RECORD>>;

export const BATCH_PREFIX = 'batch/';

/** A record as it is stored. Throws an Error on anything else. */
export function readBatchRecord(bytes: Uint8Array): BatchRecord {
  return RECORD.parse(JSON.parse(Buffer.from(bytes).toString()));
}

export function putBatch(record: BatchRecord): Change {
  return { type: 'put', key: BATCH_PREFIX + record.id, value: Buffer.from(JSON.stringify(record)) };
}

export function isOver({ status }: Pick<BatchRecord, 'status'>): boolean {
  return ['failed', 'completed', 'expired', 'cancelled'].includes(status);
}

/** What a client asks for. */
export type NewBatch = Pick<BatchRecord, 'endpoint' | 'inputId' | 'window' | 'metadata' | 'webhook' | 'outputTtlMs'> & {
  readonly windowMs: number;
  readonly owner?: string | null;
};

export function newBatch(
  { windowMs, owner = null, ...asked }: NewBatch,
  { id, outputId, errorId, nowMs }: { id: string; outputId: string; errorId: string; nowMs: number },
): BatchRecord {
  return {
    ...{ id, owner, outputId, errorId, ...asked, status: 'validating', createdMs: nowMs, expiresMs: nowMs + windowMs },
    ...{ times: {}, problems: [], lines: 0, checkpoint: BEGINNING, starts: 0 },
  };
}

/** The schema of a batch as clients see it. */
export const BATCH = once(() => {
  const text = z.string();
  const time = count.nullable();
  return z
    .object({
      ...{ id: text, object: z.literal('batch'), endpoint: text, completion_window: text },
      ...{ errors: z.object({ object: z.literal('list'), data: z.array(PROBLEM) }).nullable() },
      ...{ input_file_id: text, output_file_id: text.nullable(), error_file_id: text.nullable() },
      ...{ status: z.enum(BATCH_STATUSES), created_at: count, expires_at: count, in_progress_at: time },
      ...{ finalizing_at: time, completed_at: time, failed_at: time, expired_at: time },
      ...{ cancelling_at: time, cancelled_at: time },
      request_counts: z.object({ total: count, completed: count, failed: count }),
      metadata: z.record(text, text).nullable(),
    })
    .meta({ id: 'Batch' });
});

/** A batch as OpenAI's API shows it. https://platform.openai.com/docs/api-reference/batch/object */
export function batchView(record: BatchRecord, checkpoint = record.checkpoint): Readonly<Record<string, unknown>> {
  const { id, status, endpoint, inputId, window, metadata, createdMs, expiresMs, times, problems, lines } = record;
  const fileOf = (fileId: string, bytes: number): string | null => (isOver(record) && bytes > 0 ? fileId : null);
  return {
    id,
    object: 'batch',
    endpoint,
    errors: problems.length === 0 ? null : { object: 'list', data: problems },
    input_file_id: inputId,
    completion_window: window,
    status,
    output_file_id: fileOf(record.outputId, record.checkpoint.resultsBytes),
    error_file_id: fileOf(record.errorId, record.checkpoint.errorsBytes),
    created_at: seconds(createdMs),
    in_progress_at: seconds(times.in_progress),
    expires_at: seconds(expiresMs),
    finalizing_at: seconds(times.finalizing),
    completed_at: seconds(times.completed),
    failed_at: seconds(times.failed),
    expired_at: seconds(times.expired),
    cancelling_at: seconds(times.cancelling),
    cancelled_at: seconds(times.cancelled),
    request_counts: { total: lines, completed: checkpoint.answered, failed: checkpoint.failed },
    metadata,
  };
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms / 1000);
}
