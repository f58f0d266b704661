import { copyFile, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { StorageError, type ListedObject, type ObjectFacts, type Storage } from '../../../src/storage/storage.ts';

type Call = 'list' | 'download' | 'upload' | 'remove';

/** `s3://bucket/key` in a folder, with a record of what is done, and faults. */
export class FolderStorage implements Pick<Storage, Call> {
  /** `upload state.txt` and the like, in the order of their ends. */
  readonly done: string[] = [];
  readonly #root: string;
  #fail: ((call: Call, place: string) => Promise<void> | void) | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Called before each call: what it throws is the call's failure, and what it returns is waited for. */
  onCall(fail: ((call: Call, place: string) => Promise<void> | void) | undefined): void {
    this.#fail = fail;
  }

  fileOf(place: string): string {
    return path.join(this.#root, place.replace('s3://', ''));
  }

  read(place: string): Promise<string> {
    return readFile(this.fileOf(place), 'utf8');
  }

  async *list(prefix: string, { signal }: { signal: AbortSignal }): AsyncIterable<ListedObject> {
    await this.#begin('list', prefix, signal);
    for (const entry of await readdir(this.#root, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath, entry.name);
      const place = `s3://${path.relative(this.#root, file)}`;
      if (entry.isFile() && place.startsWith(prefix)) yield { place, size: (await stat(file)).size };
    }
  }

  async download(place: string, file: string, { signal }: { signal: AbortSignal }): Promise<ObjectFacts> {
    await this.#begin('download', place, signal);
    await copyFile(this.fileOf(place), file);
    this.done.push(`download ${path.basename(place)}`);
    return { size: (await stat(file)).size };
  }

  async upload(file: string, place: string, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#begin('upload', place, signal);
    const target = this.fileOf(place);
    await mkdir(path.dirname(target), { recursive: true });
    await copyFile(file, `${target}.new`);
    signal.throwIfAborted();
    await rename(`${target}.new`, target);
    this.done.push(`upload ${path.basename(place)}`);
  }

  async remove(place: string, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#begin('remove', place, signal);
    await rm(this.fileOf(place), { force: true });
    this.done.push(`remove ${path.basename(place)}`);
  }

  async #begin(call: Call, place: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#fail?.(call, place);
    signal.throwIfAborted();
  }
}

export const unavailable = (place: string): StorageError => new StorageError('UNAVAILABLE', `${place}: no answer`);
