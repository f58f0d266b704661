import type { Config } from '../config/options.ts';
import type { Log } from '../log.ts';
import { DiskCache } from './cache/cache.ts';
import type { StorageEvents } from './counted.ts';
import { isDiskFull } from './disk-error.ts';
import { openStorage, type StorageConfig } from './open.ts';
import { Places } from './places.ts';
import type { Storage } from './storage.ts';
import { StoredInputs } from './stored-inputs.ts';

type Options = StorageConfig &
  Pick<Config, 'INPUT_URLS' | 'STORAGE_PLACES' | 'STORAGE_CACHE_DIR' | 'STORAGE_CACHE_BYTES'>;

export interface ServerStorageParts {
  readonly config: Options;
  readonly log: Pick<Log, 'warn'>;
  readonly events?: StorageEvents;
}

/** What a server reads and writes for its jobs and requests: the storages, the places that those may name, and the cache. */
export class ServerStorage {
  readonly storage: Storage;
  readonly inputs: StoredInputs;
  readonly #parts: ServerStorageParts;
  #cache: DiskCache | undefined;

  /** Connects to nothing, and reads nothing yet. */
  constructor(parts: ServerStorageParts) {
    this.#parts = parts;
    const { config, events } = parts;
    const places = new Places(config.STORAGE_PLACES);
    this.storage = openStorage(config, {
      // Hosts that the operator has named are trusted, whatever their addresses; one that such a host redirects to is not.
      allowsPrivate: (url) => config.INPUT_URLS === 'any' || places.hasOrigin(url),
      ...(events === undefined ? {} : { events }),
    });
    this.inputs = new StoredInputs({ places, storage: this.storage, cache: () => this.#cache });
  }

  /** Opens the cache, if there is to be one; a full disk is told and done without. Rejects if its folder cannot be used. */
  async open(): Promise<void> {
    const { config, log } = this.#parts;
    const { STORAGE_CACHE_DIR: folder, STORAGE_CACHE_BYTES: limitBytes } = config;
    if (folder === '') return;
    try {
      this.#cache = await DiskCache.open({ folder, limitBytes, storage: this.storage, log });
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      log.warn({ folder }, 'the disk of the cache is full: inputs are not kept until the next start');
    }
  }

  async close(): Promise<void> {
    await this.#cache?.close();
    await this.storage.close();
  }
}
