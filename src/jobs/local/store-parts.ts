import type { Clock } from '../../core/ticket.ts';
import { ServerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Change } from './database.ts';
import type { JobRecord } from './record.ts';

/** What goes into the store of jobs and comes out of it, and its keys on disk. */

export interface JobStoreOptions {
  readonly folder: string;
  /** Most bytes of all jobs; half of it is for results. */
  readonly limitBytes: number;
  /** A job is tried so often. */
  readonly attempts: number;
  readonly resultTtlMs: number;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  /** Default: the wall clock. */
  readonly now?: () => number;
}

/** What a sender says of a job beside its message. */
export interface NewJob {
  readonly bytes: Uint8Array;
  readonly customId: string | null;
  readonly key: string | null;
  /** Absent: the default. */
  readonly priority: number | undefined;
}

/** A job that this server has begun. */
export interface BegunJob {
  readonly record: JobRecord;
  /** Undefined: its body is lost. */
  readonly bytes: Uint8Array | undefined;
}

export const jobKey = (id: string): string => `job/${id}`;
export const bodyKey = (id: string): string => `body/${id}`;
export const resultKey = (id: string): string => `result/${id}`;
/** After every key that begins so. */
export const END = '\uffff';

export function put(record: JobRecord): Change {
  return { type: 'put', key: jobKey(record.id), value: Buffer.from(JSON.stringify(record)) };
}

export function byEnd(one: JobRecord, other: JobRecord): number {
  return (one.endedMs ?? 0) - (other.endedMs ?? 0);
}

/** Throws QUEUE_FULL, or TOO_LARGE for a job that never has room. */
export function checkRoom(bytes: number, { used, open, limit }: { used: number; open: number; limit: number }): void {
  if (bytes > limit / 2) throw new ServerError('TOO_LARGE', 'The job is larger than half of JOB_STORE_BYTES.');
  if (open + bytes <= limit / 2 && used + bytes <= limit) return;
  const message = 'The store of jobs is full (JOB_STORE_BYTES): wait, or delete jobs that have ended.';
  throw new ServerError('QUEUE_FULL', message, { retryAfterMs: 5000 });
}
