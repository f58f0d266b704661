import { DEFAULT_PRIORITY } from '../../core/ticket.ts';
import { ServerError } from '../../errors.ts';
import { retryDelayMs } from '../backoff.ts';
import { lostResult, type JobResult } from '../result.ts';
import { Database, type Change } from './database.ts';
import { digestOf, hasEnded, JobIds, readRecord, type JobRecord, type JobStatus } from './record.ts';
import {
  checkRoom,
  bodyKey,
  byEnd,
  END,
  jobKey,
  put,
  resultKey,
  type BegunJob,
  type JobStoreOptions,
  type NewJob,
} from './store-parts.ts';
import { WaitingJobs } from './waiting-jobs.ts';

/** Of a job's records and keys, on disk and in memory. */
const RECORD_BYTES = 1024;
const SWEEP_MS = 60_000;
/** Jobs that are forgotten with one write. */
const MOST_SWEPT = 500;

/**
 * Jobs on the disk of this server, in a folder that no other may use. What `add` has resolved with is served, whatever happens to the process. The records of all are in
 * memory, too; bodies and results are not. A change of a job is written before it is shown.
 */
export class JobStore {
  readonly #options: JobStoreOptions;
  readonly #db: Database;
  readonly #ids = new JobIds();
  readonly #records = new Map<string, JobRecord>();
  readonly #byKey = new Map<string, string>();
  /** In the order in which they have ended. */
  readonly #ended = new Set<string>();
  readonly #waiting: WaitingJobs;
  /** Of each job that is being changed, its last change. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #usedBytes = 0;
  /** Of jobs that have not ended. */
  #openBytes = 0;
  #forgetSweep: (() => void) | undefined;
  /** Called when a job that may be running is cancelled. */
  onCancel: ((id: string) => void) | undefined;

  private constructor(options: JobStoreOptions, db: Database) {
    this.#options = options;
    this.#db = db;
    this.#waiting = new WaitingJobs(options.clock);
  }

  /** Opens the store with all its jobs; those that ran when the last process ended wait again. Rejects with an Error that names the cure. */
  static async open(options: JobStoreOptions, db?: Database): Promise<JobStore> {
    const store = new JobStore(options, db ?? (await Database.open(options.folder)));
    const found: JobRecord[] = [];
    for await (const [, bytes] of store.#db.entries({ gte: jobKey(''), lt: jobKey(END) }))
      found.push(readRecord(bytes));
    for (const record of found) store.#show(record);
    for (const record of found.filter(hasEnded).sort(byEnd)) store.#ended.add(record.id);
    for (const record of found) if (!hasEnded(record)) await store.#resume(record);
    store.#sweepLater();
    return store;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** How many jobs there are of each status. */
  count(): ReadonlyMap<JobStatus, number> {
    const counts = new Map<JobStatus, number>();
    for (const { status } of this.#records.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    return counts;
  }

  /**
   * Stores a job, or finds the one with its key. Rejects with QUEUE_FULL when there is no room, STORAGE_UNAVAILABLE when it cannot be written, INVALID_INPUT if another
   * message has its key.
   */
  async add({ bytes, customId, key, priority = DEFAULT_PRIORITY }: NewJob): Promise<JobRecord> {
    const digest = digestOf(bytes);
    // Without a wait between the last look and the entry below, or two would have the key.
    while (key !== null && this.#byKey.has(key)) {
      const known = await this.#withKey(key, digest);
      if (known !== undefined) return known;
    }
    checkRoom(bytes.byteLength + RECORD_BYTES, {
      used: this.#usedBytes,
      open: this.#openBytes,
      limit: this.#options.limitBytes,
    });
    const nowMs = this.#now();
    const id = this.#ids.next('job_', nowMs);
    const record: JobRecord = {
      ...{ id, customId, key, digest, priority, createdMs: nowMs, bytes: bytes.byteLength },
      ...{ status: 'waiting', attempts: 0, notBeforeMs: 0, endedMs: null },
    };
    this.#show(record);
    return this.#inTurn(id, async () => {
      try {
        await this.#db.write([put(record), { type: 'put', key: bodyKey(id), value: bytes }], { sync: true });
      } catch (error) {
        this.#hide(record);
        throw error;
      }
      this.#waiting.add(record, 0);
      return record;
    });
  }

  /** Throws NOT_FOUND. */
  find(id: string): JobRecord {
    const record = this.#records.get(id);
    if (record === undefined)
      throw new ServerError('NOT_FOUND', `There is no job ${id.slice(0, 80)}; results are kept for JOB_RESULT_TTL_MS.`);
    return record;
  }

  /** A line of OpenAI's batch output; undefined if the job has none. */
  async resultOf(id: string): Promise<Uint8Array | undefined> {
    return (await this.#db.read([resultKey(id)]))[0];
  }

  /** Up to `most` jobs, the newest first, from the one before `after`. */
  async list({
    most,
    after,
    status,
  }: {
    most: number;
    after?: string | undefined;
    status?: JobStatus | undefined;
  }): Promise<JobRecord[]> {
    const found: JobRecord[] = [];
    for await (const key of this.#db.keys({ gte: jobKey(''), lt: jobKey(after ?? END), reverse: true })) {
      const record = this.#records.get(key.slice(jobKey('').length));
      if (record !== undefined && (status === undefined || record.status === status)) found.push(record);
      if (found.length === most) break;
    }
    return found;
  }

  /** Ends a job that has not ended; forgets one that has. Resolves with what it was or has become. Rejects with NOT_FOUND, STORAGE_UNAVAILABLE. */
  cancel(id: string): Promise<JobRecord> {
    return this.#inTurn(id, async () => {
      const record = this.find(id);
      if (!hasEnded(record)) {
        const cancelled = await this.#end(record, 'cancelled', undefined);
        this.onCancel?.(id);
        return cancelled;
      }
      await this.#forget([record]);
      return record;
    });
  }

  /** Up to `most` jobs whose turn it is, as soon as there is one and room for its result; none when the signal is aborted. */
  async begin(most: number, signal: AbortSignal): Promise<BegunJob[]> {
    for (;;) {
      const hasRoom = this.#usedBytes < this.#options.limitBytes;
      const ids = hasRoom ? this.#waiting.first(most).filter((id) => !this.#turns.has(id)) : [];
      if (signal.aborted) return [];
      if (ids.length > 0) return this.#begin(ids);
      await this.#waiting.changed(signal);
    }
  }

  async #begin(ids: readonly string[]): Promise<BegunJob[]> {
    const work = async (): Promise<BegunJob[]> => {
      const begun = ids
        .map((id) => this.find(id))
        .map((record): JobRecord => ({ ...record, status: 'running', attempts: record.attempts + 1 }));
      await this.#db.write(begun.map(put), { sync: false });
      const bodies = await this.#db.read(ids.map(bodyKey));
      for (const record of begun) this.#show(record);
      return begun.map((record, index) => ({ record, bytes: bodies[index] }));
    };
    const all = work();
    await Promise.all(ids.map((id) => this.#inTurn(id, () => all)));
    return all;
  }

  /** Stores the end of a job, or lets it be tried again. Does nothing for one that has been cancelled. Rejects with STORAGE_UNAVAILABLE. */
  finish(id: string, result: JobResult): Promise<void> {
    return this.#inTurn(id, async () => {
      const record = this.#records.get(id);
      if (record?.status !== 'running') return;
      if (result.kind !== 'failed' || record.attempts >= this.#options.attempts)
        await this.#end(record, result.kind === 'answered' ? 'completed' : 'failed', result.line);
      else await this.#wait(record, retryDelayMs(record.attempts));
    });
  }

  /** A job that was not served waits again. */
  giveBack(id: string, delayMs: number): Promise<void> {
    return this.#inTurn(id, async () => {
      const record = this.#records.get(id);
      if (record?.status === 'running') await this.#wait({ ...record, attempts: record.attempts - 1 }, delayMs);
    });
  }

  async close(): Promise<void> {
    this.#forgetSweep?.();
    this.#waiting.clear();
    await this.#db.close();
  }

  async #resume(record: JobRecord): Promise<void> {
    const { id, customId, attempts, status, notBeforeMs } = record;
    if (status === 'running' && attempts >= this.#options.attempts)
      await this.#end(record, 'failed', lostResult(customId ?? id, attempts).line);
    else {
      const delayMs = status === 'running' ? retryDelayMs(attempts) : notBeforeMs - this.#now();
      this.#show({ ...record, status: 'waiting' });
      this.#waiting.add(record, delayMs);
    }
  }

  async #wait(record: JobRecord, delayMs: number): Promise<void> {
    const waiting: JobRecord = { ...record, status: 'waiting', notBeforeMs: this.#now() + delayMs };
    // Without it the job would count as begun after a crash, which it bears.
    await this.#db.write([put(waiting)], { sync: false }).catch(() => undefined);
    this.#show(waiting);
    this.#waiting.add(waiting, delayMs);
  }

  async #end(record: JobRecord, status: JobStatus, line: Uint8Array | undefined): Promise<JobRecord> {
    const { id } = record;
    const ended: JobRecord = { ...record, status, endedMs: this.#now(), bytes: line?.byteLength ?? 0 };
    const result: Change[] = line === undefined ? [] : [{ type: 'put', key: resultKey(id), value: line }];
    await this.#db.write([put(ended), { type: 'del', key: bodyKey(id) }, ...result], { sync: true });
    this.#show(ended);
    this.#waiting.remove(id);
    this.#ended.add(id);
    return ended;
  }

  async #forget(records: readonly JobRecord[]): Promise<void> {
    const keys = records.flatMap(({ id }) => [jobKey(id), resultKey(id)]);
    await this.#db.write(
      keys.map((key) => ({ type: 'del', key })),
      { sync: false },
    );
    for (const record of records) this.#hide(record);
    this.#waiting.wake();
  }

  /** Changes of one job are made one after the other; each begins with what the one before has left. */
  async #inTurn<Value>(id: string, work: () => Promise<Value>): Promise<Value> {
    const before = this.#turns.get(id);
    const mine = before === undefined ? work() : before.then(work, work);
    this.#turns.set(id, mine);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(id) === mine) this.#turns.delete(id);
      this.#waiting.wake();
    }
  }

  /** The job that has this key, once it is stored. */
  async #withKey(key: string, digest: string): Promise<JobRecord | undefined> {
    const id = this.#byKey.get(key);
    if (id === undefined) return undefined;
    await this.#turns.get(id)?.catch(() => undefined);
    const known = this.#records.get(id);
    // The other could not be stored.
    if (known === undefined) return undefined;
    if (known.digest !== digest)
      throw new ServerError('INVALID_INPUT', `Another job has this key (custom_id or Idempotency-Key): ${id}.`);
    return known;
  }

  /** Puts the record in the place of an older one. */
  #show(record: JobRecord): void {
    const before = this.#records.get(record.id);
    if (before !== undefined) this.#count(before, -1);
    this.#count(record, 1);
    this.#records.set(record.id, record);
    if (record.key !== null) this.#byKey.set(record.key, record.id);
    if (record.status !== 'waiting') this.#waiting.remove(record.id);
  }

  #hide(record: JobRecord): void {
    if (!this.#records.delete(record.id)) return;
    this.#count(record, -1);
    this.#ended.delete(record.id);
    if (record.key !== null && this.#byKey.get(record.key) === record.id) this.#byKey.delete(record.key);
  }

  #count(record: JobRecord, sign: 1 | -1): void {
    const size = sign * (record.bytes + RECORD_BYTES);
    this.#usedBytes += size;
    if (!hasEnded(record)) this.#openBytes += size;
  }

  #sweepLater(): void {
    const { clock, resultTtlMs, log } = this.#options;
    this.#forgetSweep = clock.after(Math.min(SWEEP_MS, resultTtlMs), () => {
      this.sweep()
        .catch((error: unknown) => log.warn({ err: error }, 'old jobs could not be forgotten'))
        .finally(() => this.#sweepLater());
    });
  }

  /** Forgets jobs that ended longer ago than results are kept. */
  async sweep(): Promise<void> {
    const oldestMs = this.#now() - this.#options.resultTtlMs;
    const isOld = ({ endedMs }: JobRecord): boolean => (endedMs ?? Infinity) <= oldestMs;
    for (;;) {
      const old: JobRecord[] = [];
      for (const id of this.#ended) {
        const record = this.#records.get(id);
        if (record === undefined || !isOld(record) || old.length === MOST_SWEPT) break;
        old.push(record);
      }
      if (old.length === 0) return;
      await this.#forget(old);
    }
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}
