import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../core/ticket.ts';
import { messageOf, ServerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Database } from '../local/database.ts';
import { END, JobIds } from '../local/record.ts';
import { FILE_PREFIX, putFile, readFileRecord, type FilePurpose, type FileRecord } from './file-record.ts';

export interface FileStoreOptions {
  /** For the bytes; made if need be. */
  readonly folder: string;
  readonly db: Database;
  /** Most bytes of all files: half for those of clients, half for results. */
  readonly limitBytes: number;
  /** Most bytes of a file that a client sends. */
  readonly uploadLimitBytes: number;
  /** Files are kept so long, unless they say otherwise. */
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  /** Default: the wall clock. */
  readonly now?: () => number;
}

export interface NewFile {
  readonly name: string;
  readonly ttlMs?: number | undefined;
  /** Name of the API key that it comes with; absent: it comes without. */
  readonly owner?: string | null;
}

/** Most files that clients have sent and not deleted. */
const MOST_UPLOADS = 10_000;
const SWEEP_MS = 60_000;

/**
 * The files of batches, in a folder that no other server may use. Their records are in memory as well, their bytes are not. A file is there once its record is written: bytes
 * without one, which a crash leaves, are removed at the next start.
 */
export class FileStore {
  readonly #options: FileStoreOptions;
  readonly #ids = new JobIds();
  readonly #records = new Map<string, FileRecord>();
  /** Bytes of files that are being written. */
  readonly #growing = new Map<string, number>();
  readonly #used: Record<FilePurpose, number> = { batch: 0, batch_output: 0 };
  #uploads = 0;
  #forgetSweep: (() => void) | undefined;
  /** Whether the bytes of a file are still needed. */
  isNeeded: (id: string) => boolean = () => false;
  /** Called when there may be room again. */
  onRoom: (() => void) | undefined;

  private constructor(options: FileStoreOptions) {
    this.#options = options;
  }

  static async open(options: FileStoreOptions): Promise<FileStore> {
    const store = new FileStore(options);
    await mkdir(options.folder, { recursive: true });
    for await (const [, bytes] of options.db.entries({ gte: FILE_PREFIX, lt: FILE_PREFIX + END }))
      store.show(readFileRecord(bytes));
    store.#sweepLater();
    return store;
  }

  get usedBytes(): number {
    return this.#used.batch + this.#used.batch_output;
  }

  get count(): number {
    return this.#records.size;
  }

  /** Whether results may be written. */
  get hasRoom(): boolean {
    return this.#used.batch_output < this.#options.limitBytes / 2;
  }

  newId(): string {
    return this.#ids.next('file-', this.now());
  }

  pathOf(id: string): string {
    return path.join(this.#options.folder, id);
  }

  /** Throws NOT_FOUND. */
  find(id: string): FileRecord {
    const record = this.#records.get(id);
    if (record === undefined || !this.#isThere(record)) throw noFile(id);
    return record;
  }

  /** Up to `most` files by the time at which they came, from the one after `after`. */
  list({ most, after, isNewestFirst, purpose, owner }: ListOptions): FileRecord[] {
    const isAsked = (record: FileRecord): boolean =>
      (purpose === undefined || record.purpose === purpose) && (owner === undefined || record.owner === owner);
    const all = [...this.#records.values()].filter((record) => this.#isThere(record) && isAsked(record));
    const sign = isNewestFirst ? -1 : 1;
    all.sort((one, other) => (one.id < other.id ? -sign : sign));
    return all.filter(({ id }) => after === undefined || (isNewestFirst ? id < after : id > after)).slice(0, most);
  }

  /**
   * Writes a file that a client sends, piece by piece. It is no file before it is `kept`. Rejects with TOO_LARGE, QUEUE_FULL (no room), STORAGE_UNAVAILABLE, and with what the
   * pieces reject with; nothing is left of it then.
   */
  async receive(pieces: AsyncIterable<Uint8Array>): Promise<Upload> {
    if (this.#uploads >= MOST_UPLOADS) throw full(`There are ${MOST_UPLOADS} files: delete some.`);
    const id = this.newId();
    this.setSize(id, 0, 'batch');
    this.#uploads += 1;
    const drop = async (): Promise<void> => {
      this.#uploads -= 1;
      await this.#dropBytes(id, 'batch');
    };
    try {
      const bytes = await this.#writeAll(id, pieces);
      return { bytes, keep: (facts) => this.#keep(id, bytes, facts), drop };
    } catch (error) {
      await drop();
      throw error;
    }
  }

  /** Deletes a file. Its bytes stay until no batch needs them. Rejects with NOT_FOUND, STORAGE_UNAVAILABLE. */
  async remove(id: string): Promise<void> {
    const record = this.find(id);
    if (!this.isNeeded(id)) await this.#forget(record);
    else {
      const deleted = { ...record, isDeleted: true };
      await this.#options.db.write([putFile(deleted)], { sync: true });
      this.#records.set(id, deleted);
    }
  }

  /** The record of results whose bytes are written; they are a file once it is stored and shown. */
  outputOf(id: string, facts: NewFile & Pick<FileRecord, 'bytes'>): FileRecord {
    return this.#recordOf(id, { ...facts, purpose: 'batch_output' });
  }

  /** A record that is stored. */
  show(record: FileRecord): void {
    const { id, purpose, bytes } = record;
    this.setSize(id, 0, purpose);
    this.#growing.delete(id);
    this.#used[purpose] += bytes;
    if (purpose === 'batch' && !this.#records.has(id)) this.#uploads += 1;
    this.#records.set(id, record);
  }

  /** How many bytes of a file have been written that has no record yet. */
  setSize(id: string, bytes: number, purpose: FilePurpose): void {
    this.#used[purpose] += bytes - (this.#growing.get(id) ?? 0);
    this.#growing.set(id, bytes);
  }

  /** Removes the bytes of a file that will have no record. */
  async dropOutput(id: string): Promise<void> {
    await this.#dropBytes(id, 'batch_output');
  }

  /** Forgets files that have expired, or were deleted while a batch needed them. */
  async sweep(): Promise<void> {
    for (const record of [...this.#records.values()])
      if (!this.#isThere(record) && !this.isNeeded(record.id)) await this.#forget(record);
  }

  /** Removes bytes of no file, which a crash has left. `isKept`: whether a batch is writing them. */
  async removeStrays(isKept: (id: string) => boolean): Promise<void> {
    for (const id of await readdir(this.#options.folder))
      if (!this.#records.has(id) && !this.#growing.has(id) && !isKept(id)) await rm(this.pathOf(id), { force: true });
  }

  close(): void {
    this.#forgetSweep?.();
  }

  now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #isThere({ isDeleted, expiresMs }: FileRecord): boolean {
    return !isDeleted && expiresMs > this.now();
  }

  #recordOf(id: string, facts: NewFile & Pick<FileRecord, 'bytes' | 'purpose'>): FileRecord {
    const createdMs = this.now();
    const { name, bytes, purpose, owner = null, ttlMs = this.#options.ttlMs } = facts;
    return { id, name, owner, bytes, purpose, createdMs, expiresMs: createdMs + ttlMs, isDeleted: false };
  }

  async #keep(id: string, bytes: number, facts: NewFile): Promise<FileRecord> {
    const record = this.#recordOf(id, { ...facts, bytes, purpose: 'batch' });
    await this.#options.db.write([putFile(record)], { sync: true });
    this.#uploads -= 1;
    this.show(record);
    return record;
  }

  async #writeAll(id: string, pieces: AsyncIterable<Uint8Array>): Promise<number> {
    const { limitBytes, uploadLimitBytes } = this.#options;
    const handle = await open(this.pathOf(id), 'wx').catch(unavailable);
    let bytes = 0;
    try {
      for await (const piece of pieces) {
        bytes += piece.byteLength;
        if (bytes > uploadLimitBytes)
          throw new ServerError('TOO_LARGE', `The file is larger than ${uploadLimitBytes} bytes.`, { param: 'file' });
        this.setSize(id, bytes, 'batch');
        if (this.#used.batch > limitBytes / 2) throw full('The store of files is full (FILE_STORE_BYTES).');
        await writeWhole(handle, piece).catch(unavailable);
      }
      await handle.sync().catch(unavailable);
    } finally {
      await handle.close();
    }
    await syncFolder(this.#options.folder).catch(unavailable);
    return bytes;
  }

  async #dropBytes(id: string, purpose: FilePurpose): Promise<void> {
    await rm(this.pathOf(id), { force: true }).catch((error: unknown) =>
      this.#options.log.warn({ fileId: id, reason: messageOf(error) }, 'the bytes of a file could not be removed'),
    );
    this.setSize(id, 0, purpose);
    this.#growing.delete(id);
    this.onRoom?.();
  }

  async #forget(record: FileRecord): Promise<void> {
    const { id, purpose, bytes } = record;
    await this.#options.db.write([{ type: 'del', key: FILE_PREFIX + id }], { sync: true });
    if (!this.#records.delete(id)) return;
    this.#used[purpose] -= bytes;
    if (purpose === 'batch') this.#uploads -= 1;
    await this.#dropBytes(id, purpose);
  }

  #sweepLater(): void {
    const { clock, log } = this.#options;
    this.#forgetSweep = clock.after(SWEEP_MS, () => {
      this.sweep()
        .catch((error: unknown) => log.warn({ err: error }, 'old files could not be forgotten'))
        .finally(() => this.#sweepLater());
    });
  }
}

export interface ListOptions {
  readonly most: number;
  readonly after?: string | undefined;
  readonly isNewestFirst: boolean;
  readonly purpose?: string | undefined;
  /** Of this owner alone. */
  readonly owner?: string | undefined;
}

/** Bytes that have arrived whole, and are on disk. */
export interface Upload {
  readonly bytes: number;
  /** Makes them a file. Rejects with STORAGE_UNAVAILABLE; then they are still to be dropped. */
  keep(facts: NewFile): Promise<FileRecord>;
  /** Removes them. */
  drop(): Promise<void>;
}

/** Says that there is no such file. */
export function noFile(id: string): ServerError {
  return new ServerError('NOT_FOUND', `There is no file ${id.slice(0, 80)}.`, { param: 'id' });
}

function full(message: string): ServerError {
  return new ServerError('QUEUE_FULL', message, { retryAfterMs: 60_000 });
}

function unavailable(error: unknown): never {
  throw new ServerError('STORAGE_UNAVAILABLE', undefined, { cause: error, retryAfterMs: 5000 });
}

async function writeWhole(handle: FileHandle, piece: Uint8Array): Promise<void> {
  for (let written = 0; written < piece.byteLength;)
    written += (await handle.write(piece, written, piece.byteLength - written)).bytesWritten;
}

/** Without it a loss of power may take the name of a file whose bytes are there. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
