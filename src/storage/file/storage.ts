import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { diskError } from '../disk-error.ts';
import { shownPlace } from '../shown-place.ts';
import {
  StorageError,
  type DownloadCall,
  type ListedObject,
  type ObjectFacts,
  type ReadCall,
  type Storage,
  type StorageCall,
  type WriteCall,
} from '../storage.ts';
import { TEMPORARY_NAME, writeWhole } from '../whole-file.ts';
import { fileOf } from './place.ts';

const CHUNK_BYTES = 1024 * 1024;

/** Files of this machine, `file:///...`. Folders are made where they are needed. */
export class FileStorage implements Storage {
  async head(place: string, { signal }: StorageCall): Promise<ObjectFacts | undefined> {
    try {
      return await telling(place, signal, () => factsOf(fileOf(place)));
    } catch (error) {
      if (error instanceof StorageError && error.kind === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  read(place: string, { signal, limitBytes, onBytes }: ReadCall): Promise<Uint8Array> {
    return telling(place, signal, async () => {
      const file = fileOf(place);
      // Before it is opened: opening a pipe would wait for its writer.
      const { size } = await factsOf(file);
      checkSize(place, size, limitBytes);
      const bytes = new Uint8Array(size);
      await withFile(file, async (handle) => {
        for (let at = 0; at < size;) {
          signal.throwIfAborted();
          const { bytesRead } = await handle.read(bytes, at, Math.min(CHUNK_BYTES, size - at), at);
          if (bytesRead === 0) throw new StorageError('CHANGED', `${shownPlace(place)}: it became shorter`);
          at += bytesRead;
          onBytes?.(bytesRead);
        }
      });
      return bytes;
    });
  }

  write(place: string, bytes: Uint8Array, { signal, onlyIfAbsent, onBytes }: WriteCall): Promise<void> {
    return telling(place, signal, async () => {
      const file = fileOf(place);
      await makeFolder(path.dirname(file));
      await asObject(
        file,
        writeWhole(file, (handle) => handle.writeFile(bytes), { onlyIfAbsent }),
      );
      onBytes?.(bytes.byteLength);
    });
  }

  download(
    place: string,
    file: string,
    { signal, onBytes, limitBytes = Infinity }: DownloadCall,
  ): Promise<ObjectFacts> {
    return telling(place, signal, async () => {
      const source = fileOf(place);
      const before = await factsOf(source);
      checkSize(place, before.size, limitBytes);
      return writeWhole(file, async (handle) => {
        await copy({ source, size: before.size, target: handle }, signal, onBytes);
        if ((await factsOf(source)).validator !== before.validator)
          throw new StorageError('CHANGED', `${shownPlace(place)}: it changed while it was copied`);
        return before;
      });
    });
  }

  upload(file: string, place: string, { signal, onBytes, onlyIfAbsent }: WriteCall): Promise<void> {
    return telling(place, signal, async () => {
      const target = fileOf(place);
      await makeFolder(path.dirname(target));
      const { size } = await stat(file);
      const whole = writeWhole(target, (handle) => copy({ source: file, size, target: handle }, signal, onBytes), {
        onlyIfAbsent,
      });
      await asObject(target, whole);
    });
  }

  async *list(prefix: string, { signal }: StorageCall): AsyncIterable<ListedObject> {
    const start = fileOf(prefix);
    const isFolder = start.endsWith(path.sep);
    const folder = isFolder ? start : path.dirname(start);
    for await (const file of filesBelow(folder, isFolder ? '' : start, signal)) {
      const facts = await factsOf(file).catch(() => undefined);
      // It may have been removed in the meantime.
      if (facts !== undefined) yield { place: pathToFileURL(file).href, ...facts };
    }
  }

  remove(place: string, { signal }: StorageCall): Promise<void> {
    return telling(place, signal, () => rm(fileOf(place), { force: true }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function telling<Result>(place: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw diskError(error, shownPlace(place));
  }
}

/** Rejects with BAD_PLACE where what is there already is no file: whoever is told EXISTS takes what he has to store for stored. */
async function asObject(file: string, written: Promise<unknown>): Promise<void> {
  try {
    await written;
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const found = isTaken ? await stat(file).catch(() => undefined) : undefined;
    if (!isTaken || found?.isFile() === true) throw error;
    throw new StorageError('BAD_PLACE', `${shownPlace(pathToFileURL(file).href)}: there is something that is no file`);
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    // EEXIST: a file has the name of the folder.
    throw error instanceof Error && 'code' in error && error.code === 'EEXIST'
      ? new StorageError('BAD_PLACE', `${shownPlace(pathToFileURL(folder).href)}: it is no folder`, { cause: error })
      : error;
  }
}

function checkSize(place: string, size: number, limitBytes: number): void {
  if (size > limitBytes) throw new StorageError('TOO_LARGE', `${shownPlace(place)}: larger than ${limitBytes} bytes`);
}

async function withFile<Result>(file: string, work: (handle: FileHandle) => Promise<Result>): Promise<Result> {
  const handle = await open(file, 'r');
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Rejects with NOT_FOUND for what is no regular file: a device or a pipe has no end. */
async function factsOf(file: string): Promise<ObjectFacts> {
  const found = await stat(file, { bigint: true });
  if (!found.isFile()) throw new StorageError('NOT_FOUND', `${shownPlace(pathToFileURL(file).href)}: it is no file`);
  const { size, mtimeNs, ino, mtime } = found;
  return {
    size: Number(size),
    validator: `"${ino.toString(36)}-${size.toString(36)}-${mtimeNs.toString(36)}"`,
    modified: mtime,
  };
}

/** Not beyond the size that was found: the file may be growing. */
async function copy(
  { source, size, target }: { source: string; size: number; target: FileHandle },
  signal: AbortSignal,
  onBytes: StorageCall['onBytes'],
): Promise<void> {
  if (size === 0) return;
  const stream = createReadStream(source, { end: size - 1, highWaterMark: CHUNK_BYTES, signal });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    await target.writeFile(chunk);
    onBytes?.(chunk.byteLength);
  }
}

/** Regular files whose path begins with `start`, folder by folder, in order. Links are not followed: they may lead in circles. */
async function* filesBelow(folder: string, start: string, signal: AbortSignal): AsyncIterable<string> {
  const names = await namesIn(folder);
  for (const [name, isFolder] of names) {
    signal.throwIfAborted();
    const entry = path.join(folder, name);
    const isWanted = entry.startsWith(start);
    if (isFolder) {
      if (isWanted || start.startsWith(`${entry}${path.sep}`)) yield* filesBelow(entry, start, signal);
    } else if (isWanted) yield entry;
  }
}

async function namesIn(folder: string): Promise<[string, boolean][]> {
  const names: [string, boolean][] = [];
  try {
    for await (const entry of await opendir(folder))
      if (entry.isDirectory() || (entry.isFile() && !TEMPORARY_NAME.test(entry.name)))
        names.push([entry.name, entry.isDirectory()]);
  } catch (error) {
    const told = diskError(error, shownPlace(pathToFileURL(folder).href));
    if (!(told instanceof StorageError && told.kind === 'NOT_FOUND')) throw told;
  }
  return names.sort(([a], [b]) => (a < b ? -1 : 1));
}
