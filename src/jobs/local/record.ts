import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';

/** `waiting` and `running` are to be served; the others have ended. `failed`: refused, or a dead letter after all its tries. */
export const JOB_STATUSES = ['waiting', 'running', 'completed', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** What the store knows of a job beside its body and its result. Times are of the wall clock. */
const RECORD = z.object({
  id: z.string(),
  customId: z.string().nullable(),
  /** Another job with the same key is this one. */
  key: z.string().nullable(),
  /** Of the message. */
  digest: z.string(),
  priority: z.int(),
  status: z.enum(JOB_STATUSES),
  /** Tries that have begun. */
  attempts: z.int(),
  createdMs: z.number(),
  /** Not tried again before. */
  notBeforeMs: z.number(),
  endedMs: z.number().nullable(),
  /** Of its body; once it has ended, of its result. */
  bytes: z.int(),
});

export type JobRecord = Readonly<z.infer<typeof RECORD>>;

/** A record as it is stored. Throws an Error on anything else. */
export function readRecord(bytes: Uint8Array): JobRecord {
  return RECORD.parse(JSON.parse(Buffer.from(bytes).toString()));
}

export function hasEnded({ status }: Pick<JobRecord, 'status'>): boolean {
  return status !== 'waiting' && status !== 'running';
}

/** Ids in the order in which they were made, also beyond a restart: the time in ms, a counter within it, and something that cannot be guessed. */
export class JobIds {
  #lastMs = 0;
  #count = 0;

  next(prefix: string, nowMs: number): string {
    this.#count = nowMs > this.#lastMs ? 0 : this.#count + 1;
    this.#lastMs = Math.max(nowMs, this.#lastMs);
    const [time, count] = [this.#lastMs.toString(16).padStart(12, '0'), this.#count.toString(16).padStart(6, '0')];
    return `${prefix}${time}${count}${randomBytes(8).toString('hex')}`;
  }
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
