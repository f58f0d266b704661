import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Assets } from './assets.ts';

/** Bytes of the files that a version is loaded from: what it names, and external data, which is named after its graph. Missing files count as empty. */
export async function bytesOf({ weights, files }: Pick<Assets, 'weights' | 'files'>): Promise<number> {
  const sizes = [...new Set([weights, ...Object.values(files)])].map(async (file) => {
    const folder = path.dirname(file);
    const beside = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(path.basename(file)));
    const bytes = beside.map((name) =>
      stat(path.join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
    return (await Promise.all(bytes)).reduce((sum, size) => sum + size, 0);
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Of several versions: each has a copy of its own in memory. */
export function fileBytesOf(sources: readonly { readonly fileBytes: number }[]): number {
  return sources.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
}
