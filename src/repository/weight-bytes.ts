import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ModelSource } from './source.ts';

/** Bytes of the files that versions are loaded from: what they name, and external data, which is named after its graph. Missing files count as empty. */
export async function bytesOf(sources: readonly Pick<ModelSource, 'weights' | 'files'>[]): Promise<number> {
  const named = new Set(sources.flatMap(({ weights, files }) => [weights, ...Object.values(files)]));
  const sizes = [...named].map(async (file) => {
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
