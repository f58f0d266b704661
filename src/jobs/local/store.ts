import { DEFAULT_PRIORITY } from '../../core/ticket.ts';
import { ServerError } from '../../errors.ts';
import { retryDelayMs } from '../backoff.ts';
import { digestOf } from '../digest.ts';
import {
  hasEnded,
  noJob,
  type JobBoard,
  type JobList,
  type JobPage,
  type JobStatus,
  type NewJob,
} from '../job-board.ts';
import { lostResult, type JobResult } from '../result.ts';
import { Turns } from '../turns.ts';
import { Wake } from '../wake.ts';
import type { Change, Database } from './database.ts';
import { checkRoom, endMessage, type BegunJob, type JobStoreOptions } from './store-parts.ts';
import { ReadyJobs } from './ready-jobs.ts';
import {
  ANY_STATUS,
  bodyKey,
  END,
  endedKey,
  idOfKey,
  JobIds,
  jobKey,
  nameKey,
  ownerKey,
  readRecord,
  recordChanges,
  resultKey,
  statusKey,
  type JobRecord,
} from './record.ts';

/** Of a job's record and keys. */
const RECORD_BYTES = 1024;
const SWEEP_MS = 60_000;
/** A job that could not be written is looked at again after so long. */
const DISK_RETRY_MS = 1000;

/**
 * Jobs on the disk of this server, in a table that no other uses. What `add` has resolved with is served, whatever happens to the process. In memory are counts alone, so that
 * there may be millions. Changes of one job are made one after the other, each written whole or not at all.
 */
export class JobStore implements JobBoard {
  readonly #options: JobStoreOptions;
  readonly #db: Database;
  readonly #ids = new JobIds();
  readonly #counts = new Map<JobStatus, number>();
  readonly #ready: ReadyJobs;
  readonly #turns = new Turns();
  readonly #wake = new Wake();
  #usedBytes = 0;
  /** Of jobs that have not ended. */
  #openBytes = 0;
  #forgetSweep: (() => void) | undefined;
  /** Called when a job that may be running is cancelled. */
  onCancel: ((id: string) => void) | undefined;

  private constructor(options: JobStoreOptions) {
    this.#options = options;
    this.#db = options.db;
    this.#ready = new ReadyJobs(options.db, options.clock, () => this.#now());
    this.#ready.onDue = (ids) => {
      for (const id of ids)
        this.#change(id, (record) => this.#isLate(record) && { ...record, notBeforeMs: 0 }).catch(() =>
          this.#ready.addLate(this.#now() + DISK_RETRY_MS),
        );
    };
  }

  /** Opens the store with all its jobs; those that ran when the last process ended wait again. Rejects when the disk cannot be read or written. */
  static async open(options: JobStoreOptions): Promise<JobStore> {
    const store = new JobStore(options);
    const running: string[] = [];
    for await (const [, bytes] of options.db.entries({ gte: jobKey(''), lt: jobKey(END) })) {
      const record = readRecord(bytes);
      store.#count(record, 1);
      if (record.status === 'running') running.push(record.id);
    }
    for (const id of running) await store.#resume(id);
    await store.#ready.look();
    store.#sweepLater();
    return store;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** How many jobs there are of each status. */
  count(): ReadonlyMap<JobStatus, number> {
    return this.#counts;
  }

  async add(job: NewJob): Promise<JobRecord> {
    const { key, bytes } = job;
    if (key === null) return this.#insert(job, digestOf(bytes));
    // In turn, or two would have the key.
    return this.#turns.run(`key ${key}`, async () => {
      const digest = digestOf(bytes);
      const [id] = await this.#db.read([nameKey(key)]);
      const known = id === undefined ? undefined : await this.#read(Buffer.from(id).toString());
      if (known === undefined) return this.#insert(job, digest);
      if (known.digest === digest) return known;
      throw new ServerError('INVALID_INPUT', `Another job has this key (custom_id or Idempotency-Key): ${known.id}.`);
    });
  }

  async find(id: string): Promise<JobRecord> {
    const record = await this.#read(id);
    if (record === undefined) throw noJob(id);
    return record;
  }

  async resultOf(id: string): Promise<Uint8Array | undefined> {
    return (await this.#db.read([resultKey(id)]))[0];
  }

  async list({ most, after, status, owner }: JobList): Promise<JobPage> {
    const keyOf = (id: string): string => {
      if (owner !== undefined) return ownerKey(owner, status ?? ANY_STATUS, id);
      return status === undefined ? jobKey(id) : statusKey(status, id);
    };
    const ids: string[] = [];
    for await (const key of this.#db.keys({ gte: keyOf(''), lt: keyOf(after ?? END), reverse: true })) {
      ids.push(idOfKey(key));
      if (ids.length === most) break;
    }
    const records = await this.#db.read(ids.map(jobKey));
    return { jobs: records.flatMap((bytes) => (bytes === undefined ? [] : [readRecord(bytes)])) };
  }

  async cancel(id: string): Promise<JobRecord> {
    let found: JobRecord | undefined;
    await this.#change(id, async (record) => {
      found = record;
      if (hasEnded(record)) return 'forget';
      found = await this.#end(record, 'cancelled', undefined);
      this.onCancel?.(id);
      return undefined;
    });
    return found ?? this.find(id);
  }

  /** Up to `most` jobs whose turn it is, as soon as there is one and room for its result; none when the signal is aborted. */
  async begin(most: number, signal: AbortSignal): Promise<BegunJob[]> {
    for (;;) {
      this.#wake.reset();
      const hasRoom = this.#usedBytes < this.#options.limitBytes;
      const ids = hasRoom ? await this.#ready.first(most, (id) => this.#turns.has(id)) : [];
      if (signal.aborted) return [];
      const begun = await this.#begin(ids.filter((id) => !this.#turns.has(id)));
      if (begun.length > 0) return begun;
      await this.#wake.wait(signal);
    }
  }

  async #begin(ids: readonly string[]): Promise<BegunJob[]> {
    if (ids.length === 0) return [];
    const work = async (): Promise<BegunJob[]> => {
      const stored = await this.#db.read([...ids.map(jobKey), ...ids.map(bodyKey)]);
      const changes: Change[] = [];
      const begun: BegunJob[] = [];
      for (const [index, bytes] of stored.slice(0, ids.length).entries()) {
        const before = bytes === undefined ? undefined : readRecord(bytes);
        if (before?.status !== 'waiting') continue;
        const record: JobRecord = { ...before, status: 'running', attempts: before.attempts + 1 };
        changes.push(...recordChanges(before, record));
        begun.push({ record, bytes: stored[ids.length + index] });
      }
      await this.#db.write(changes, { sync: false });
      for (const { record } of begun) this.#recount({ ...record, status: 'waiting' }, record);
      return begun;
    };
    const all = work();
    await Promise.all(ids.map((id) => this.#turns.run(id, () => all)));
    return all;
  }

  /** Stores the end of a job, or lets it be tried again. Does nothing for one that has been cancelled. Rejects with STORAGE_UNAVAILABLE. */
  finish(id: string, result: JobResult): Promise<void> {
    return this.#change(id, async (record) => {
      if (record.status !== 'running') return undefined;
      if (result.kind === 'failed' && record.attempts < this.#options.attempts)
        return this.#later(record, retryDelayMs(record.attempts));
      await this.#end(record, result.kind === 'answered' ? 'completed' : 'failed', result.line);
      return undefined;
    });
  }

  /** A job that was not served waits again. */
  giveBack(id: string, delayMs: number): Promise<void> {
    return this.#change(
      id,
      (record) => record.status === 'running' && this.#later({ ...record, attempts: record.attempts - 1 }, delayMs),
    );
  }

  /** The database is closed by whoever opened it. */
  close(): void {
    this.#forgetSweep?.();
    this.#ready.close();
  }

  /** Forgets jobs that ended longer ago than results are kept. */
  async sweep(): Promise<void> {
    const oldestMs = this.#now() - this.#options.resultTtlMs;
    for await (const key of this.#db.keys({ gte: endedKey(0, ''), lt: endedKey(oldestMs + 1, '') }))
      await this.#change(idOfKey(key), (record) => (hasEnded(record) ? 'forget' : undefined));
  }

  async #insert({ bytes, customId, key, owner = null, ...job }: NewJob, digest: string) {
    const { priority = DEFAULT_PRIORITY, webhook } = job;
    const { limitBytes } = this.#options;
    checkRoom(bytes.byteLength + RECORD_BYTES, { limitBytes, usedBytes: this.#usedBytes, openBytes: this.#openBytes });
    const nowMs = this.#now();
    const id = this.#ids.next('job_', nowMs);
    const record: JobRecord = {
      ...{ id, customId, owner, key, digest, priority, webhook, createdMs: nowMs, bytes: bytes.byteLength },
      ...{ status: 'waiting', attempts: 0, notBeforeMs: 0, endedMs: null },
    };
    const changes = recordChanges(undefined, record);
    changes.push({ type: 'put', key: bodyKey(id), value: bytes });
    if (key !== null) changes.push({ type: 'put', key: nameKey(key), value: Buffer.from(id) });
    // Before it is written: others must not take its room.
    this.#count(record, 1);
    await this.#db.write(changes, { sync: true }).catch((error: unknown) => {
      this.#count(record, -1);
      throw error;
    });
    this.#ready.add(priority, id);
    this.#wake.wake();
    return record;
  }

  async #resume(id: string): Promise<void> {
    await this.#change(id, async (record) => {
      const { customId, attempts } = record;
      if (attempts < this.#options.attempts) return this.#later(record, retryDelayMs(attempts));
      await this.#end(record, 'failed', lostResult(customId ?? id, attempts).line);
      return undefined;
    });
  }

  async #read(id: string): Promise<JobRecord | undefined> {
    const [bytes] = await this.#db.read([jobKey(id)]);
    return bytes === undefined ? undefined : readRecord(bytes);
  }

  /** Changes a job in its turn, if it is there: into the record that `change` resolves with, or not at all. */
  async #change(id: string, change: (record: JobRecord) => Changed | Promise<Changed>): Promise<void> {
    await this.#turns.run(id, async () => {
      const before = await this.#read(id);
      if (before === undefined) return;
      const after = await change(before);
      if (after === undefined || after === false) return;
      await this.#write(before, after === 'forget' ? undefined : after);
    });
    this.#wake.wake();
  }

  async #write(before: JobRecord, after: JobRecord | undefined, more: readonly Change[] = []): Promise<void> {
    // A loss of power may take back what is done again then.
    const sync = after !== undefined && hasEnded(after);
    await this.#db.write([...recordChanges(before, after), ...more], { sync });
    this.#recount(before, after);
    if (after?.status !== 'waiting') return;
    if (after.notBeforeMs > 0) this.#ready.addLate(after.notBeforeMs);
    else this.#ready.add(after.priority, after.id);
  }

  async #end(record: JobRecord, status: JobStatus, line: Uint8Array | undefined): Promise<JobRecord> {
    const { outbox } = this.#options;
    const { id } = record;
    const ended: JobRecord = { ...record, status, notBeforeMs: 0, endedMs: this.#now(), bytes: line?.byteLength ?? 0 };
    const more: Change[] = line === undefined ? [] : [{ type: 'put', key: resultKey(id), value: line }];
    const message = endMessage(ended, line);
    await this.#write(record, ended, message === undefined ? more : [...more, ...outbox.changesOf(message)]);
    if (message !== undefined) outbox.take(message);
    return ended;
  }

  #later(record: JobRecord, delayMs: number): JobRecord {
    return { ...record, status: 'waiting', notBeforeMs: delayMs > 0 ? this.#now() + delayMs : 0 };
  }

  #isLate({ status, notBeforeMs }: JobRecord): boolean {
    return status === 'waiting' && notBeforeMs > 0;
  }

  #recount(before: JobRecord, after: JobRecord | undefined): void {
    this.#count(before, -1);
    if (after !== undefined) this.#count(after, 1);
  }

  #count(record: JobRecord, sign: 1 | -1): void {
    const size = sign * (record.bytes + RECORD_BYTES);
    this.#usedBytes += size;
    if (!hasEnded(record)) this.#openBytes += size;
    this.#counts.set(record.status, (this.#counts.get(record.status) ?? 0) + sign);
  }

  #sweepLater(): void {
    const { clock, resultTtlMs, log } = this.#options;
    this.#forgetSweep = clock.after(Math.min(SWEEP_MS, resultTtlMs), () => {
      this.sweep()
        .catch((error: unknown) => log.warn({ err: error }, 'old jobs could not be forgotten'))
        .finally(() => this.#sweepLater());
    });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

/** The record that a job is to have; `forget`: none; undefined or false: the one that it has. */
type Changed = JobRecord | 'forget' | false | undefined;
