import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { messageOf, ServerError } from '../../errors.ts';
import { makeFolder } from '../../make-folder.ts';

/** What is written together, or not at all. */
export type Change =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/** Keys from `gte` or after `gt`, below `lt`. */
export interface KeyRange {
  readonly gte: string;
  readonly lt: string;
  readonly reverse?: boolean;
}

type Level = Pick<
  ClassicLevel<string, Uint8Array>,
  'open' | 'close' | 'batch' | 'getMany' | 'keys' | 'iterator' | 'status'
>;

const openLevel = (folder: string): Level => new ClassicLevel<string, Uint8Array>(folder, { valueEncoding: 'view' });

/** Room for the files that LevelDB writes when it opens, beside what it makes of its log. */
const SPARE_BYTES = 256 * 1024;

/**
 * An ordered table on disk (LevelDB) of one process. After a failed write it is closed and opened again before the next one, because LevelDB would write behind
 * the torn end of its log, where a restart does not read; it can be read until then. Whatever fails rejects with STORAGE_UNAVAILABLE.
 */
export class Database {
  readonly #level: Level;
  readonly #folder: string;
  #isTorn = false;
  #reopening: Promise<void> | undefined;

  private constructor(level: Level, folder: string) {
    this.#level = level;
    this.#folder = folder;
  }

  /** Opens the table in a folder, which is made if need be. Rejects with an Error that says why not. */
  static async open(folder: string, levelOf = openLevel): Promise<Database> {
    await makeFolder(folder);
    const level = levelOf(folder);
    try {
      await level.open();
    } catch (error) {
      const cause = (error as Error).cause as { code?: string; message?: string } | undefined;
      const reason = cause?.code === 'LEVEL_LOCKED' ? 'another server uses it' : (cause?.message ?? messageOf(error));
      throw new Error(reason, { cause: error });
    }
    return new Database(level, folder);
  }

  /** `sync`: it outlasts a loss of power too, not only the end of the process. */
  async write(changes: readonly Change[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (this.#isTorn) await this.#openAgain();
    try {
      await this.#level.batch([...changes], { sync });
    } catch (error) {
      this.#isTorn = true;
      throw unavailable(error);
    }
  }

  async read(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    await this.#readable();
    return this.#level.getMany([...keys]).catch((error: unknown) => Promise.reject(unavailable(error)));
  }

  async *keys(range: KeyRange): AsyncGenerator<string> {
    await this.#readable();
    for await (const key of this.#level.keys(range)) yield key;
  }

  async *entries(range: KeyRange): AsyncGenerator<readonly [string, Uint8Array]> {
    await this.#readable();
    for await (const entry of this.#level.iterator(range)) yield entry;
  }

  close(): Promise<void> {
    return this.#level.close();
  }

  async #readable(): Promise<void> {
    // It is being opened again, or that has failed.
    if (this.#level.status !== 'open') await this.#openAgain();
  }

  #openAgain(): Promise<void> {
    return (this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined)));
  }

  async #reopen(): Promise<void> {
    try {
      if (this.#level.status === 'open') {
        // Opened without room for it, it would neither be written nor read.
        await checkRoom(this.#folder);
        await this.#level.close();
      }
      await this.#level.open();
      this.#isTorn = false;
    } catch (error) {
      throw unavailable(error);
    }
  }
}

/** Rejects with the disk's error where there is no room to open the table: its log becomes a file of its own then. */
async function checkRoom(folder: string): Promise<void> {
  const logs = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  const sizes = await Promise.all(logs.map(async (name) => (await stat(path.join(folder, name))).size));
  const probe = path.join(folder, 'room.probe');
  try {
    await writeFile(probe, Buffer.alloc(sizes.reduce((sum, size) => sum + size, SPARE_BYTES)), { flush: true });
  } finally {
    await rm(probe, { force: true });
  }
}

/** LevelDB tells in the cause what has failed. */
function unavailable(error: unknown): ServerError {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return new ServerError('STORAGE_UNAVAILABLE', undefined, { cause, retryAfterMs: 5000 });
}
