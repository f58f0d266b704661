import { ServerError } from '../../errors.ts';
import type { Database } from '../local/database.ts';
import { END, JobIds } from '../local/record.ts';
import { Turns } from '../turns.ts';
import { webhookMessage, type EventType, type WebhookMessage } from '../webhooks/event.ts';
import type { Outbox } from '../webhooks/outbox.ts';
import {
  BATCH_PREFIX,
  batchView,
  isOver,
  newBatch,
  putBatch,
  readBatchRecord,
  type BatchRecord,
  type BatchStatus,
  type NewBatch,
} from './batch-record.ts';
import { putFile, type FileRecord } from './file-record.ts';
import type { FileStore } from './file-store.ts';

export interface BatchStoreOptions {
  readonly db: Database;
  readonly files: FileStore;
  /** Batches are forgotten so long after their end. */
  readonly ttlMs: number;
  readonly outbox: Pick<Outbox, 'changesOf' | 'take'>;
}

/** Most batches that have not ended. */
const MOST_OPEN = 1000;
/** Most that have; then the oldest is forgotten. */
const MOST_OVER = 10_000;

/**
 * The batches of a server, on its disk. Those that have not ended are in memory, too. Every change is written before it is shown, and changes of one batch are made one after the
 * other.
 */
export class BatchStore {
  readonly #options: BatchStoreOptions;
  readonly #ids = new JobIds();
  readonly #open = new Map<string, BatchRecord>();
  /** Those that are being written for the first time: their inputs must not be deleted meanwhile. */
  readonly #coming = new Set<BatchRecord>();
  /** How many there are of each status. */
  readonly #counts = new Map<BatchStatus, number>();
  readonly #turns = new Turns();
  /** Called when there is another batch, or one is to end. */
  onChange: (() => void) | undefined;

  private constructor(options: BatchStoreOptions) {
    this.#options = options;
    options.files.isNeeded = (id) => this.#isInput(id);
  }

  static async open(options: BatchStoreOptions): Promise<BatchStore> {
    const store = new BatchStore(options);
    for await (const [, bytes] of options.db.entries({ gte: BATCH_PREFIX, lt: BATCH_PREFIX + END }))
      store.#show(readBatchRecord(bytes), undefined);
    const outputs = new Set([...store.#open.values()].flatMap(({ outputId, errorId }) => [outputId, errorId]));
    await options.files.removeStrays((id) => outputs.has(id));
    return store;
  }

  /** Those that have not ended, in the order in which they came. */
  get unended(): Iterable<BatchRecord> {
    return this.#open.values();
  }

  /** A batch that has not ended. */
  peek(id: string): BatchRecord | undefined {
    return this.#open.get(id);
  }

  get counts(): ReadonlyMap<BatchStatus, number> {
    return this.#counts;
  }

  /** Stores a batch. Rejects with QUEUE_FULL when there are too many, STORAGE_UNAVAILABLE, NOT_FOUND for its input. */
  async add(asked: NewBatch): Promise<BatchRecord> {
    const { db, files } = this.#options;
    if (this.#open.size + this.#coming.size >= MOST_OPEN)
      throw new ServerError('QUEUE_FULL', `There are ${MOST_OPEN} batches that have not ended.`, {
        retryAfterMs: 60_000,
      });
    files.find(asked.inputId);
    const nowMs = files.now();
    const [outputId, errorId] = [files.newId(), files.newId()];
    const record = newBatch(asked, { id: this.#ids.next('batch_', nowMs), outputId, errorId, nowMs });
    this.#coming.add(record);
    try {
      await db.write([putBatch(record)], { sync: true });
      this.#show(record, undefined);
    } finally {
      this.#coming.delete(record);
    }
    this.onChange?.();
    return record;
  }

  /** Rejects with NOT_FOUND, STORAGE_UNAVAILABLE. */
  async find(id: string): Promise<BatchRecord> {
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    const [bytes] = await this.#options.db.read([BATCH_PREFIX + id]);
    if (bytes === undefined) throw noBatch(id);
    // What was read may be older than what has been shown meanwhile.
    return this.#open.get(id) ?? readBatchRecord(bytes);
  }

  /** Up to `most` batches, the newest first, from the one before `after`. */
  async list({ most, after, owner }: BatchList): Promise<BatchRecord[]> {
    const found: BatchRecord[] = [];
    const range = { gte: BATCH_PREFIX, lt: BATCH_PREFIX + (after ?? END), reverse: true };
    for await (const [, bytes] of this.#options.db.entries(range)) {
      const record = readBatchRecord(bytes);
      if (owner !== undefined && record.owner !== owner) continue;
      found.push(this.#open.get(record.id) ?? record);
      if (found.length === most) break;
    }
    return found;
  }

  /** Cancels a batch that has not ended; one that is being cancelled stays so. Rejects with NOT_FOUND, INVALID_INPUT for one that has ended. */
  async cancel(id: string): Promise<BatchRecord> {
    const record = await this.update(id, (before) => {
      if (before.status === 'cancelling') return before;
      if (isOver(before) || before.status === 'finalizing')
        throw new ServerError('INVALID_INPUT', `A batch with status '${before.status}' cannot be cancelled.`);
      return this.moved(before, 'cancelling');
    });
    this.onChange?.();
    return record;
  }

  /** A record with another status, from now on. */
  moved(record: BatchRecord, status: BatchStatus): BatchRecord {
    return { ...record, status, times: { ...record.times, [status]: this.#options.files.now() } };
  }

  /** Changes a batch; files of its results come with it. Rejects with what `change` throws, NOT_FOUND, STORAGE_UNAVAILABLE. */
  update(
    id: string,
    change: (record: BatchRecord) => BatchRecord,
    { files = [], sync = true }: { files?: readonly FileRecord[]; sync?: boolean } = {},
  ): Promise<BatchRecord> {
    return this.#turns.run(id, async () => {
      const before = await this.find(id);
      const after = change(before);
      if (after === before) return before;
      const { db, files: store, outbox } = this.#options;
      const message = isOver(after) ? messageOf(after) : undefined;
      const told = message === undefined ? [] : outbox.changesOf(message);
      await db.write([putBatch(after), ...files.map(putFile), ...told], { sync });
      if (message !== undefined) outbox.take(message);
      for (const file of files) store.show(file);
      this.#show(after, before);
      // What is not forgotten now is when the next one ends.
      if (isOver(after)) await this.#turns.run('', () => this.#forgetOld()).catch(() => undefined);
      return after;
    });
  }

  #isInput(id: string): boolean {
    for (const { inputId } of [...this.#open.values(), ...this.#coming]) if (inputId === id) return true;
    return false;
  }

  /** Puts the record in the place of an older one. */
  #show(record: BatchRecord, before: BatchRecord | undefined): void {
    if (before !== undefined) this.#count(before, -1);
    this.#count(record, 1);
    if (isOver(record)) this.#open.delete(record.id);
    else this.#open.set(record.id, record);
  }

  #count({ status }: BatchRecord, sign: 1 | -1): void {
    this.#counts.set(status, (this.#counts.get(status) ?? 0) + sign);
  }

  /** Forgets batches that ended long ago, and the oldest where there are too many. */
  async #forgetOld(): Promise<void> {
    const { db, files, ttlMs } = this.#options;
    let extra = [...this.#counts].reduce((sum, [status, some]) => (isOver({ status }) ? sum + some : sum), -MOST_OVER);
    const old: BatchRecord[] = [];
    for await (const [, bytes] of db.entries({ gte: BATCH_PREFIX, lt: BATCH_PREFIX + END })) {
      const record = readBatchRecord(bytes);
      if (!isOver(record)) continue;
      if (extra <= 0 && record.createdMs + ttlMs > files.now()) break;
      extra -= 1;
      old.push(record);
    }
    await db.write(
      old.map(({ id }) => ({ type: 'del', key: BATCH_PREFIX + id })),
      { sync: false },
    );
    for (const record of old) this.#count(record, -1);
  }
}

interface BatchList {
  readonly most: number;
  readonly after?: string | undefined;
  /** Of this owner alone. */
  readonly owner?: string | undefined;
}

/** Says that there is no such batch. */
export function noBatch(id: string): ServerError {
  return new ServerError('NOT_FOUND', `There is no batch ${id.slice(0, 80)}.`);
}

/** What tells of the end of a batch; undefined if nobody is to be told. */
function messageOf(record: BatchRecord): WebhookMessage | undefined {
  const { webhook, status } = record;
  if (webhook === null) return undefined;
  return webhookMessage(`batch.${status}` as EventType, webhook, JSON.stringify(batchView(record)));
}
