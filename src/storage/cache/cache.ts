import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../../errors.ts';
import { takeLock, type LockOptions } from '../../file-lock.ts';
import type { Log } from '../../log.ts';
import { makeFolder } from '../../make-folder.ts';
import { isDiskFull } from '../disk-error.ts';
import { shownPlace } from '../shown-place.ts';
import { StorageError, type DownloadCall, type ObjectFacts, type Storage, type StorageCall } from '../storage.ts';
import { nameOf, sizeIn } from './name.ts';
import { onDisk, Space } from './space.ts';

export interface CacheOptions {
  readonly folder: string;
  /** Of the disk, for all files, those that are being brought included. */
  readonly limitBytes: number;
  readonly storage: Pick<Storage, 'head' | 'download'>;
  readonly log: Pick<Log, 'warn'>;
  /** How the folder's lock is watched. */
  readonly lock?: Pick<LockOptions, 'lookMs' | 'staleMs'>;
}

/** An object on disk. The file stays, and stays as it is, until it is released. */
export interface CachedFile {
  readonly file: string;
  readonly facts: ObjectFacts;
  readonly release: () => void;
}

/** How often an object that changes between the question and the download is asked for again. */
const MOST_TRIES = 3;
/** A full disk is told no more often: each input meets it anew. */
const TELL_AGAIN_MS = 3_600_000;

interface Entry {
  readonly name: string;
  /** Those who have it or wait for it. */
  users: number;
  /** Rejects with why it could not be brought. */
  readonly brought: Promise<void>;
  isThere: boolean;
  /** Whether it may be used again: without a validator nobody knows whether it is still the same. */
  readonly isLasting: boolean;
  /** Ends the download. */
  readonly stop: AbortController;
}

/**
 * Objects that were downloaded, on disk by place and validator: whether one is still the same is asked of its storage each time. One that many ask for is
 * downloaded once; the least recently used make way. A file is in the folder only when it is whole; the folder is one process's at a time.
 */
export class DiskCache {
  readonly #options: CacheOptions;
  readonly #unlock: () => Promise<void>;
  readonly #space: Space;
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #removals = new Map<string, Promise<void>>();
  /** When a full disk was told, by whether removing files was enough. */
  readonly #toldAtMs = new Map<boolean, number>();

  private constructor(options: CacheOptions, unlock: () => Promise<void>) {
    this.#options = options;
    this.#unlock = unlock;
    this.#space = new Space(options.limitBytes, () => this.#evictOne());
  }

  /** Opens a folder, which is made if it is not there, and removes what an earlier process has left unfinished. Rejects if another process uses it. */
  static async open(options: CacheOptions): Promise<DiskCache> {
    const { folder, log, lock } = options;
    await makeFolder(path.join(folder, 'objects'));
    const busy = new AbortController();
    const file = path.join(folder, 'lock');
    const unlock = await takeLock(file, {
      ...lock,
      signal: busy.signal,
      onWait: () => log.warn({ file }, 'another process uses the folder, or was killed: looking for up to 30 s'),
      onAlive: () => busy.abort(new Error(`another process uses ${folder}`)),
    });
    const cache = new DiskCache(options, unlock);
    try {
      await cache.#takeStock();
    } catch (error) {
      await unlock();
      throw error;
    }
    return cache;
  }

  /** What the files take of the disk, those that are being brought included. */
  get usedBytes(): number {
    return this.#space.usedBytes;
  }

  /** An object as a file; undefined if it is larger than the cache, or than what its disk has left. Rejects with a StorageError: TOO_LARGE above the limit of the call. */
  async get(place: string, call: DownloadCall): Promise<CachedFile | undefined> {
    for (let tries = 1; ; tries += 1) {
      const facts = await this.#options.storage.head(place, call);
      const shown = shownPlace(place);
      if (facts === undefined) throw new StorageError('NOT_FOUND', `${shown}: there is no such object`);
      const { limitBytes = Infinity } = call;
      if (facts.size > limitBytes) throw new StorageError('TOO_LARGE', `${shown}: larger than ${limitBytes} bytes`);
      if (onDisk(facts.size) > this.#space.limitBytes) return undefined;
      try {
        return await this.#file(place, facts, call);
      } catch (error) {
        if (isDiskFull(error)) {
          this.#tellFull(false);
          return undefined;
        }
        const isOther = error instanceof StorageError && (error.kind === 'CHANGED' || error.kind === 'NOT_FOUND');
        if (!isOther || tries === MOST_TRIES) throw error;
      }
    }
  }

  /** Ends all downloads. Files that are in use stay. */
  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    for (const { stop } of entries) stop.abort(new Error('the cache is closed'));
    await Promise.allSettled(entries.map(({ brought }) => brought));
    await this.#unlock();
  }

  async #file(place: string, facts: ObjectFacts, { signal, onBytes }: StorageCall): Promise<CachedFile> {
    const name = nameOf(place, facts);
    let known = this.#entries.get(name);
    // Its download was ended, because nobody waited for it, and has not stopped yet.
    while (known?.isThere === false && known.stop.signal.aborted) {
      await orAborted(known.brought, signal).catch(() => signal.throwIfAborted());
      known = this.#entries.get(name);
    }
    const entry = known ?? this.#begin(name, { place, facts, onBytes });
    entry.users += 1;
    this.#touch(entry);
    try {
      await orAborted(entry.brought, signal);
    } catch (error) {
      this.#leave(entry);
      throw error;
    }
    let isReleased = false;
    const release = (): void => {
      if (!isReleased) this.#leave(entry);
      isReleased = true;
    };
    return { file: this.#pathOf(name), facts, release };
  }

  #begin(name: string, wanted: Wanted): Entry {
    const stop = new AbortController();
    const brought = this.#bring(name, wanted, stop.signal);
    const isLasting = wanted.facts.validator !== undefined;
    const entry: Entry = { name, users: 0, brought, isThere: false, isLasting, stop };
    this.#entries.set(name, entry);
    brought.then(
      () => (entry.isThere = true),
      () => this.#entries.delete(name),
    );
    return entry;
  }

  async #bring(name: string, { place, facts, onBytes }: Wanted, signal: AbortSignal): Promise<void> {
    const bytes = onDisk(facts.size);
    await this.#space.take(bytes, signal);
    const incoming = path.join(this.#options.folder, 'incoming', randomUUID());
    try {
      // What is larger than it was said to be would take more room than there is.
      const call = { signal, limitBytes: facts.size, ...(onBytes === undefined ? {} : { onBytes }) };
      const found = await this.#download(place, incoming, call);
      if (found.size !== facts.size || found.validator !== facts.validator) throw changed(place);
      // A file of this name may be on its way out.
      await this.#removals.get(name);
      await rename(incoming, this.#pathOf(name));
    } catch (error) {
      await rm(incoming, { force: true });
      this.#space.give(bytes);
      throw isTooLarge(error) ? changed(place) : error;
    }
  }

  /** Others may fill the disk, too: files that are not in use make way. Rejects with ENOSPC, before anything is fetched, if that would not be enough. */
  async #download(place: string, file: string, call: DownloadCall): Promise<ObjectFacts> {
    const { storage } = this.#options;
    const bytes = onDisk(call.limitBytes ?? 0);
    const missingBytes = bytes - (await this.#freeBytes());
    if (missingBytes > 0 && !(await this.#clear(missingBytes))) throw noRoom();
    try {
      return await storage.download(place, file, call);
    } catch (error) {
      // Filled meanwhile, or a quota, which the free bytes do not show.
      if (!isDiskFull(error) || !(await this.#clear(bytes))) throw error;
      return await storage.download(place, file, call);
    }
  }

  /** What the disk has left; Infinity where it does not tell. */
  async #freeBytes(): Promise<number> {
    return statfs(this.#options.folder).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => Infinity,
    );
  }

  /** Removes the least recently used files until they leave so many bytes; false, and removes none, if all that are not in use have fewer. */
  async #clear(bytes: number): Promise<boolean> {
    const chosen: Entry[] = [];
    let leftBytes = bytes;
    for (const entry of this.#entries.values()) {
      if (leftBytes <= 0) break;
      if (!isRemovable(entry)) continue;
      chosen.push(entry);
      leftBytes -= onDisk(sizeIn(entry.name) ?? 0);
    }
    if (leftBytes > 0) return false;
    this.#tellFull(true);
    await Promise.all(chosen.map((entry) => this.#evict(entry)));
    return true;
  }

  #tellFull(isEnough: boolean): void {
    const now = performance.now();
    if (now - (this.#toldAtMs.get(isEnough) ?? -Infinity) < TELL_AGAIN_MS) return;
    this.#toldAtMs.set(isEnough, now);
    const { log, folder } = this.#options;
    log.warn(
      { folder, usedBytes: this.#space.usedBytes },
      isEnough
        ? 'the disk of the cache is full: files not in use are removed'
        : 'the disk of the cache is full: what finds no room is read without being kept',
    );
  }

  #touch(entry: Entry): void {
    this.#entries.delete(entry.name);
    this.#entries.set(entry.name, entry);
    // The order is found again after a restart.
    const now = new Date();
    if (entry.isThere) void utimes(this.#pathOf(entry.name), now, now).catch(() => undefined);
  }

  #leave(entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    if (!entry.isThere) entry.stop.abort(new Error('nobody waits for it any more'));
    else if (entry.isLasting) this.#space.wake();
    else void this.#evict(entry);
  }

  /** Removes the least recently used file; false: all are in use. */
  async #evictOne(): Promise<boolean> {
    for (const entry of this.#entries.values()) {
      if (!isRemovable(entry)) continue;
      await this.#evict(entry);
      return true;
    }
    return false;
  }

  async #evict({ name }: Entry): Promise<void> {
    this.#entries.delete(name);
    const removal = rm(this.#pathOf(name), { force: true }).catch((error: unknown) =>
      // It still takes its room, which is found again at the next start.
      this.#options.log.warn({ name, reason: messageOf(error) }, 'a file of the cache cannot be removed'),
    );
    this.#removals.set(name, removal);
    await removal;
    if (this.#removals.get(name) === removal) this.#removals.delete(name);
    this.#space.give(onDisk(sizeIn(name) ?? 0));
  }

  #pathOf(name: string): string {
    return path.join(this.#options.folder, 'objects', name);
  }

  /** Reads which files there are. What is not whole is removed. */
  async #takeStock(): Promise<void> {
    const { folder, limitBytes } = this.#options;
    await rm(path.join(folder, 'incoming'), { recursive: true, force: true });
    await mkdir(path.join(folder, 'incoming'));
    const found: { name: string; usedAtMs: number }[] = [];
    for (const name of await readdir(path.join(folder, 'objects'))) {
      const { size, mtimeMs } = await stat(this.#pathOf(name));
      if (sizeIn(name) === size) found.push({ name, usedAtMs: mtimeMs });
      else await rm(this.#pathOf(name), { recursive: true, force: true });
    }
    for (const { name } of found.sort((a, b) => a.usedAtMs - b.usedAtMs)) {
      this.#space.add(onDisk(sizeIn(name) ?? 0));
      const stop = new AbortController();
      this.#entries.set(name, { name, users: 0, brought: Promise.resolve(), isThere: true, isLasting: true, stop });
    }
    while (this.#space.usedBytes > limitBytes && (await this.#evictOne()));
  }
}

interface Wanted {
  readonly place: string;
  readonly facts: ObjectFacts;
  readonly onBytes: StorageCall['onBytes'];
}

function changed(place: string): StorageError {
  return new StorageError('CHANGED', `${shownPlace(place)}: it changed while it was read`);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof StorageError && error.kind === 'TOO_LARGE';
}

function isRemovable({ users, isThere }: Entry): boolean {
  return users === 0 && isThere;
}

function noRoom(): Error {
  return Object.assign(new Error('the disk of the cache is full'), { code: 'ENOSPC' });
}

function orAborted(brought: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    brought.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
