import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { HubFile } from './client.ts';
import { HubError } from './hub-error.ts';
import { fetchPieces, NoRanges, type DownloadParts } from './pieces.ts';

/**
 * Fetches one file to `target`, by way of `part`, which keeps what an earlier try fetched. `target` appears only when the whole
 * file is there and its checksum is right. Rejects with a HubError, or an error of the disk.
 */
export async function downloadFile(file: HubFile, target: string, part: string, parts: DownloadParts): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  for (const isLastTry of [false, true]) {
    const counted = await fetchWhole(file, part, parts);
    if (await isIntact(part, file, parts.retry.signal)) {
      await rename(part, target);
      await rm(`${part}.done`, { force: true });
      return;
    }
    await forget(part);
    parts.onBytes(-counted);
    if (isLastTry)
      throw new HubError(
        `${parts.snapshot.repository}: ${file.path} came twice with a wrong checksum: the hub, or something on the way, is broken`,
      );
  }
}

/** Brings `part` to the file's size. Resolves with the bytes counted. */
async function fetchWhole(file: HubFile, part: string, parts: DownloadParts): Promise<number> {
  let counted = 0;
  const count = (bytes: number): void => {
    counted += bytes;
    parts.onBytes(bytes);
  };
  try {
    await fetchPieces(file, part, { ...parts, onBytes: count });
  } catch (error) {
    if (!(error instanceof NoRanges)) throw error;
    await forget(part);
    count(-counted);
    await fetchPieces(file, part, { ...parts, onBytes: count, pieceBytes: Infinity });
  }
  return counted;
}

async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.done`, { force: true });
}

/**
 * Whether a file on disk is what the hub says it is: SHA-256 of an LFS file, SHA-1 of git's blob (`blob <size>\0` and the content) of others. Rejects
 * with the signal's reason.
 */
export async function isIntact(file: string, { size, digest }: HubFile, signal?: AbortSignal): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true || found.size !== size) return false;
  const isSha256 = digest.startsWith('sha256:');
  const hash = createHash(isSha256 ? 'sha256' : 'sha1');
  if (!isSha256) hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex') === digest.slice(digest.indexOf(':') + 1);
}
