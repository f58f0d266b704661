import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { StorageError, type StorageErrorKind } from '../../src/storage/storage.ts';

/** For calls that nothing ends. */
export const { signal: NEVER } = new AbortController();

/** Matches a StorageError whose message names the place, and none of the secrets that tests put into URLs. */
export function storageError(kind: StorageErrorKind, message = /./): (error: unknown) => boolean {
  return (error) =>
    error instanceof StorageError &&
    error.kind === kind &&
    message.test(error.message) &&
    !/SECRET/.test(`${error.message} ${error.stack ?? ''}`);
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-storage-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** All files below a folder, relative to it. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}
