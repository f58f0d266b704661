import { isUtf8 } from 'node:buffer';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { diskError } from '../../storage/disk-error.ts';
import { StorageError } from '../../storage/storage.ts';

export interface FoundFile {
  /** Below the folder, with slashes. */
  readonly name: string;
  readonly path: string;
  readonly modifiedMs: number;
  /** Another one means other bytes. */
  readonly print: string;
}

/** Most files of a folder that is kept in a storage. */
const MOST_FILES = 100_000;
const AT_ONCE = 16;

/**
 * All files in a folder and those below it, the oldest first. Links to files count as files; links to folders are not followed. Rejects with a
 * StorageError if there are too many, if a name cannot be that of an object, and if the folder cannot be read.
 */
export async function scanFolder(folder: string): Promise<readonly FoundFile[]> {
  const names: string[] = [];
  await collect(folder, '', names);
  const limit = pLimit(AT_ONCE);
  const found = await limit.map(names, (name) => look(path.join(folder, name), name));
  return found
    .filter((file) => file !== undefined)
    .sort((one, other) => one.modifiedMs - other.modifiedMs || (one.name < other.name ? -1 : 1));
}

/** What a file is now; undefined if it is none, or gone. Rejects with a StorageError if that cannot be said. */
export async function look(file: string, name: string): Promise<FoundFile | undefined> {
  try {
    const found = await stat(file, { bigint: true });
    if (!found.isFile()) return undefined;
    const print = [found.ino, found.size, found.mtimeNs, found.ctimeNs].join('-');
    return { name, path: file, modifiedMs: Number(found.mtimeNs) / 1e6, print };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw diskError(error, file);
  }
}

async function collect(folder: string, prefix: string, names: string[]): Promise<void> {
  for (const entry of await entriesOf(path.join(folder, prefix))) {
    // The name of another encoding would lead to no file, and what is in it would be left out without a word.
    if (!isUtf8(entry.name)) throw unusable(`${folder} holds a name that is not UTF-8: ${prefix}${String(entry.name)}`);
    const name = prefix + String(entry.name);
    if (entry.isDirectory()) await collect(folder, `${name}/`, names);
    else names.push(name);
    if (names.length > MOST_FILES) throw unusable(`${folder} holds more than ${MOST_FILES} files`);
  }
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    if (isGone(error)) return [];
    throw diskError(error, folder);
  }
}

/** Another try would meet it again. */
function unusable(message: string): StorageError {
  return new StorageError('BAD_PLACE', message.slice(0, 500));
}

/** Links that lead in a circle lead to nothing, too. */
const GONE: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && GONE.has(error.code);
}
