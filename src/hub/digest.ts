import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { HubFile } from './client.ts';

/** True when a file on disk is what the hub says it is: SHA-256 of an LFS file, SHA-1 of git's blob (`blob <size>\0` and the content) of others. */
export async function isIntact(file: string, { size, digest }: HubFile): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true || found.size !== size) return false;
  const isSha256 = digest.startsWith('sha256:');
  const hash = createHash(isSha256 ? 'sha256' : 'sha1');
  if (!isSha256) hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest('hex') === digest.slice(digest.indexOf(':') + 1);
}
