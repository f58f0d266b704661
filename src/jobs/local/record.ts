import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { digestOf } from '../digest.ts';
import { hasEnded, JOB_STATUSES } from '../job-board.ts';
import type { Change } from './database.ts';

/** What the store knows of a job beside its body and its result. Times are of the wall clock. */
const RECORD = z.object({
  id: z.string(),
  customId: z.string().nullable(),
  owner: z.string().nullable().default(null),
  /** Another job with the same key is this one. */
  key: z.string().nullable(),
  /** Of the message. */
  digest: z.string(),
  priority: z.int(),
  webhook: z.string().nullable(),
  status: z.enum(JOB_STATUSES),
  /** Tries that have begun. */
  attempts: z.int(),
  createdMs: z.number(),
  /** When a waiting job may be tried again; 0: at once. */
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

/** After every key that begins so. */
export const END = '\uffff';

export const jobKey = (id: string): string => `job/${id}`;
export const bodyKey = (id: string): string => `body/${id}`;
export const resultKey = (id: string): string => `result/${id}`;
/** A sender's name of a job may be long. */
export const nameKey = (key: string): string => `key/${digestOf(Buffer.from(key))}`;
export const statusKey = (status: string, id: string): string => `status/${status}/${id}`;
/** Jobs of one owner, whose name has no slash: all of them, or those of a status. */
export const ownerKey = (owner: string, status: string, id: string): string => `owner/${owner}/${status}/${id}`;
export const ANY_STATUS = 'any';
export const readyKey = (priority: number, id: string): string => `ready/${priority}/${id}`;
export const lateKey = (atMs: number, id: string): string => `late/${timeText(atMs)}/${id}`;
export const endedKey = (atMs: number, id: string): string => `ended/${timeText(atMs)}/${id}`;

/** The id at the end of a key. */
export function idOfKey(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** The time in a key of `late` or `ended`. */
export function timeOfKey(key: string): number {
  return parseInt(key.split('/')[1] ?? '', 16);
}

function timeText(atMs: number): string {
  return Math.max(0, Math.floor(atMs)).toString(16).padStart(12, '0');
}

/** The entries by which a job is found: by its owner and status, and among those that are ready, late or ended. */
function indexOf({ id, owner, status, priority, notBeforeMs, endedMs }: JobRecord): string[] {
  const keys = [statusKey(status, id)];
  if (owner !== null) keys.push(ownerKey(owner, ANY_STATUS, id), ownerKey(owner, status, id));
  if (status === 'waiting') keys.push(notBeforeMs > 0 ? lateKey(notBeforeMs, id) : readyKey(priority, id));
  if (endedMs !== null) keys.push(endedKey(endedMs, id));
  return keys;
}

/** The changes that put a record in the place of an older one; without a newer one, that forget the job. */
export function recordChanges(before: JobRecord | undefined, after: JobRecord | undefined): Change[] {
  const changes: Change[] = [];
  if (before !== undefined) for (const key of indexOf(before)) changes.push({ type: 'del', key });
  if (after !== undefined) {
    for (const key of indexOf(after)) changes.push({ type: 'put', key, value: NOTHING });
    changes.push({ type: 'put', key: jobKey(after.id), value: Buffer.from(JSON.stringify(after)) });
    if (hasEnded(after)) changes.push({ type: 'del', key: bodyKey(after.id) });
  } else if (before !== undefined) {
    for (const key of [jobKey(before.id), bodyKey(before.id), resultKey(before.id)]) changes.push({ type: 'del', key });
    if (before.key !== null) changes.push({ type: 'del', key: nameKey(before.key) });
  }
  return changes;
}

const NOTHING = new Uint8Array(0);

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
