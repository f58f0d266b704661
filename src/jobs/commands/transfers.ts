import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import pLimit from 'p-limit';
import type { Storage } from '../../storage/storage.ts';
import { NamePattern } from './patterns.ts';
import { CommandRefused } from './refused.ts';
import { scanFolder } from './scan.ts';

/** A rule with its folder resolved. */
export interface FolderRule {
  readonly prefix: string;
  readonly folder: string;
  readonly pattern: NamePattern;
}

/** Told which files are being moved. */
export interface TransferEvents {
  began(direction: 'upload' | 'download', file: string): void;
  ended(direction: 'upload' | 'download', file: string): void;
}

export interface TransfersParts {
  readonly storage: Pick<Storage, 'list' | 'download' | 'upload' | 'remove'>;
  readonly compression: boolean;
  readonly events: TransferEvents;
  /** Whether anything may be stored at this moment. */
  readonly mayStore: () => boolean;
  /** For compressed copies. */
  readonly temporary: (name: string) => string;
}

/** Files moved at one time; each moves in parallel parts. */
const FILES_AT_ONCE = 8;
/** Most objects of a prefix. */
const MOST_OBJECTS = 100_000;
const GZIP_LEVEL = 9;
const GZIP_ENDING = '.gz';

/** Moves the files of one job between its folders and the storage. */
export class Transfers {
  readonly #parts: TransfersParts;
  #copies = 0;

  constructor(parts: TransfersParts) {
    this.#parts = parts;
  }

  /** Brings all objects below the prefix that match. Resolves when all are there, with their number; rejects with the first failure. */
  async downloadAll({ prefix, folder, pattern }: FolderRule, signal: AbortSignal): Promise<number> {
    const places: string[] = [];
    for await (const { place } of this.#parts.storage.list(prefix, { signal })) {
      // A name that ends so stands for a folder.
      if (!place.endsWith('/')) places.push(place);
      if (places.length > MOST_OBJECTS) throw new CommandRefused(`${prefix} holds more than ${MOST_OBJECTS} objects`);
    }
    const wanted = pattern.filter(places, keyOf);
    await allOf(wanted, signal, (place, stop) => this.#download(place, fileOf(place, prefix, folder), stop));
    return wanted.length;
  }

  /** Stores all files of the folder that match. Resolves when all are stored, with their number; rejects with the first failure. */
  async uploadAll({ prefix, folder, pattern }: FolderRule, signal: AbortSignal): Promise<number> {
    const found = pattern.filter(await scanFolder(folder), ({ name }) => name);
    await allOf(found, signal, (file, stop) => this.upload(file.path, `${prefix}${file.name}`, stop));
    return found.length;
  }

  /** Stores one file; `source` is the file, or a copy of it. */
  async upload(file: string, place: string, signal: AbortSignal, source = file): Promise<void> {
    const { storage, compression, events } = this.#parts;
    this.#check();
    events.began('upload', file);
    try {
      if (!compression) await storage.upload(source, place, { signal });
      else
        await this.#withCopy(async (copy) => {
          const gzip = createGzip({ level: GZIP_LEVEL });
          await pipeline(createReadStream(source), gzip, createWriteStream(copy), { signal });
          await storage.upload(copy, place + GZIP_ENDING, { signal });
        });
    } finally {
      events.ended('upload', file);
    }
  }

  async remove(place: string, signal: AbortSignal): Promise<void> {
    const { storage, compression } = this.#parts;
    this.#check();
    await storage.remove(compression ? place + GZIP_ENDING : place, { signal });
  }

  async #download(place: string, file: string, signal: AbortSignal): Promise<void> {
    const { storage, compression, events } = this.#parts;
    const isCompressed = compression && file.endsWith(GZIP_ENDING);
    const target = isCompressed ? file.slice(0, -GZIP_ENDING.length) : file;
    events.began('download', target);
    try {
      await mkdir(path.dirname(target), { recursive: true });
      if (!isCompressed) await storage.download(place, target, { signal });
      else
        await this.#withCopy(async (copy) => {
          await storage.download(place, copy, { signal });
          await pipeline(createReadStream(copy), createGunzip(), createWriteStream(`${target}.part`), { signal });
          await rename(`${target}.part`, target);
        });
    } finally {
      events.ended('download', target);
    }
  }

  /** What another server has stored since must not be overwritten by what is older. */
  #check(): void {
    if (!this.#parts.mayStore()) throw new Error('the lease of the job has ended');
  }

  async #withCopy(use: (copy: string) => Promise<void>): Promise<void> {
    const copy = this.#parts.temporary(`gzip-${++this.#copies}`);
    try {
      await use(copy);
    } finally {
      await rm(copy, { force: true });
    }
  }
}

/** The key of an object in its bucket, or what comes after the host. */
function keyOf(place: string): string {
  return place.replace(/^[a-z0-9+.-]+:\/\/[^/]*\//i, '');
}

/** Where an object goes. Throws a CommandRefused if its name leads out of the folder. */
function fileOf(place: string, prefix: string, folder: string): string {
  const name = place.slice(prefix.length);
  const parts = name.split('/');
  if (!place.startsWith(prefix) || name.includes('\0') || parts.some((part) => ['', '.', '..'].includes(part)))
    throw new CommandRefused(`sync: the name of ${place.slice(0, 200)} cannot be the name of a file`);
  return path.join(folder, ...parts);
}

/** Does something with all items, some at a time. After the first failure nothing more is begun; rejects with it when all that was begun has ended. */
async function allOf<Item>(
  items: readonly Item[],
  signal: AbortSignal,
  act: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const limit = pLimit(FILES_AT_ONCE);
  let failure: unknown;
  await limit.map(items, async (item) => {
    if (either.aborted) return;
    try {
      await act(item, either);
    } catch (error) {
      failure ??= error;
      failed.abort();
    }
  });
  signal.throwIfAborted();
  if (failed.signal.aborted) throw failure;
}
