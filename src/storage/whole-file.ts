import { randomUUID } from 'node:crypto';
import { link, open, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';

/** Names of files that are being written; one that a killed process has left behind may be removed. */
export const TEMPORARY_NAME = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part$/;

export interface WholeOptions {
  /** Rejects with EEXIST if there is a file already. The file system must know hard links. */
  readonly onlyIfAbsent?: boolean | undefined;
}

/**
 * Writes a file whole or not at all: to a temporary file beside it, which is synchronised with the disk and renamed. Resolves with what `write` does
 * once the file is there also after a loss of power; rejects with what `write` or the disk does, and leaves nothing behind then.
 */
export async function writeWhole<Result>(
  file: string,
  write: (handle: FileHandle) => Promise<Result>,
  { onlyIfAbsent = false }: WholeOptions = {},
): Promise<Result> {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.${randomUUID()}.part`);
  const handle = await open(temporary, 'wx+');
  try {
    const result = await filled(handle, write);
    if (onlyIfAbsent) await link(temporary, file);
    else await rename(temporary, file);
    await synchronise(folder);
    return result;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function filled<Result>(handle: FileHandle, write: (handle: FileHandle) => Promise<Result>): Promise<Result> {
  try {
    const result = await write(handle);
    await handle.sync();
    return result;
  } finally {
    await handle.close();
  }
}

/** Makes the names in a folder lasting. Not every file system can; then there is nothing to wait for. */
async function synchronise(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (handle === undefined) return;
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}
