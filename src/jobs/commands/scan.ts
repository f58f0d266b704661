import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';

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

/** All files in a folder and those below it, the oldest first. Links to files count as files; links to folders are not followed. Rejects if there are too many. */
export async function scanFolder(folder: string): Promise<readonly FoundFile[]> {
  const names: string[] = [];
  await collect(folder, '', names);
  const limit = pLimit(AT_ONCE);
  const found = await limit.map(names, (name) => look(path.join(folder, name), name));
  return found
    .filter((file) => file !== undefined)
    .sort((one, other) => one.modifiedMs - other.modifiedMs || (one.name < other.name ? -1 : 1));
}

/** What a file is now; undefined if it is none, or gone. */
export async function look(file: string, name: string): Promise<FoundFile | undefined> {
  try {
    const found = await stat(file, { bigint: true });
    if (!found.isFile()) return undefined;
    const print = [found.ino, found.size, found.mtimeNs, found.ctimeNs].join('-');
    return { name, path: file, modifiedMs: Number(found.mtimeNs) / 1e6, print };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function collect(folder: string, prefix: string, names: string[]): Promise<void> {
  for (const entry of await entriesOf(path.join(folder, prefix))) {
    const name = prefix + entry.name;
    if (entry.isDirectory()) await collect(folder, `${name}/`, names);
    else names.push(name);
    if (names.length > MOST_FILES) throw new Error(`${folder} holds more than ${MOST_FILES} files`);
  }
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
