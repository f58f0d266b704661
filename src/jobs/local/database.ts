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

/**
 * An ordered table on disk (LevelDB) of one process. After a failed write it is closed and opened again before it is used, because LevelDB would write behind
 * the torn end of its log, where a restart does not read. Whatever fails rejects with STORAGE_UNAVAILABLE.
 */
export class Database {
  readonly #level: Level;
  #isTorn = false;
  #reopening: Promise<void> | undefined;

  private constructor(level: Level) {
    this.#level = level;
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
    return new Database(level);
  }

  /** `sync`: it outlasts a loss of power too, not only the end of the process. */
  async write(changes: readonly Change[], { sync }: { readonly sync: boolean }): Promise<void> {
    await this.#whole();
    try {
      await this.#level.batch([...changes], { sync });
    } catch (error) {
      this.#isTorn = true;
      throw unavailable(error);
    }
  }

  async read(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    await this.#whole();
    return this.#level.getMany([...keys]).catch((error: unknown) => Promise.reject(unavailable(error)));
  }

  async *keys(range: KeyRange): AsyncGenerator<string> {
    await this.#whole();
    for await (const key of this.#level.keys(range)) yield key;
  }

  async *entries(range: KeyRange): AsyncGenerator<readonly [string, Uint8Array]> {
    await this.#whole();
    for await (const entry of this.#level.iterator(range)) yield entry;
  }

  close(): Promise<void> {
    return this.#level.close();
  }

  async #whole(): Promise<void> {
    if (this.#isTorn) await (this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined)));
  }

  async #reopen(): Promise<void> {
    try {
      if (this.#level.status === 'open') await this.#level.close();
      await this.#level.open();
      this.#isTorn = false;
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function unavailable(error: unknown): ServerError {
  return new ServerError('STORAGE_UNAVAILABLE', undefined, { cause: error, retryAfterMs: 5000 });
}
