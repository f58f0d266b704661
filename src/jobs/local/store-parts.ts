import type { Clock } from '../../core/ticket.ts';
import { ServerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { jobData, webhookMessage, type WebhookMessage } from '../webhooks/event.ts';
import type { Outbox } from '../webhooks/outbox.ts';
import type { Database } from './database.ts';
import type { JobRecord } from './record.ts';

export interface JobStoreOptions {
  readonly db: Database;
  /** Most bytes of all jobs; half of it is for results. */
  readonly limitBytes: number;
  /** A job is tried so often. */
  readonly attempts: number;
  readonly resultTtlMs: number;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  readonly outbox: Pick<Outbox, 'changesOf' | 'take'>;
  /** Default: the wall clock. */
  readonly now?: () => number;
}

/** A job that this server has begun. */
export interface BegunJob {
  readonly record: JobRecord;
  /** Undefined: its body is lost. */
  readonly bytes: Uint8Array | undefined;
}

/** Throws QUEUE_FULL, or TOO_LARGE for a job that never has room. */
export function checkRoom(bytes: number, { limitBytes, usedBytes, openBytes }: Room): void {
  if (bytes > limitBytes / 2) throw new ServerError('TOO_LARGE', 'The job is larger than half of JOB_STORE_BYTES.');
  if (openBytes + bytes <= limitBytes / 2 && usedBytes + bytes <= limitBytes) return;
  const message = 'The store of jobs is full (JOB_STORE_BYTES): wait, or delete jobs that have ended.';
  throw new ServerError('QUEUE_FULL', message, { retryAfterMs: 5000 });
}

interface Room {
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly openBytes: number;
}

/** What tells of the end of a job; undefined if nobody is to be told. */
export function endMessage(job: JobRecord, line: Uint8Array | undefined): WebhookMessage | undefined {
  const { webhook, status } = job;
  if (webhook === null) return undefined;
  const type = status === 'completed' || status === 'cancelled' ? (`job.${status}` as const) : 'job.failed';
  return webhookMessage(type, webhook, jobData(job, line));
}
