import { figuresTable, measureStorage } from './bench.ts';
import type { BenchFlags } from './bench-flags.ts';
import { openStorage, type StorageConfig } from './open.ts';

/** `carpool bench-storage`: how fast this machine reaches a storage. */

/** Resolves with what is to be printed. Rejects with what `measureStorage` rejects with. */
export async function measuredText(
  config: StorageConfig,
  { prefix, sizeBytes, json }: BenchFlags,
  signal: AbortSignal,
): Promise<string> {
  const storage = openStorage(config);
  try {
    const figures = await measureStorage(storage, { prefix, sizeBytes, signal });
    return json ? JSON.stringify(figures) : figuresTable(figures);
  } finally {
    await storage.close();
  }
}
