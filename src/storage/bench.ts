import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Storage } from './storage.ts';

/** Measures a storage as SaladCloud's High-Performance Storage benchmark does: one large object up, the same down to a file, then removed. */

/** The keys of that benchmark's results; megabytes and megabits of a million, three decimals. */
export interface StorageFigures {
  readonly 'ul_size(MB)': number;
  readonly 'ul_duration(s)': number;
  readonly 'ul_throughput(Mbps)': number;
  readonly 'dl_size(MB)': number;
  readonly 'dl_duration(s)': number;
  readonly 'dl_throughput(Mbps)': number;
}

export interface MeasureOptions {
  /** The test object lies below it, under a name of its own. */
  readonly prefix: string;
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
}

const BLOCK_BYTES = 1024 * 1024;
/** Limit of the removal of the test object, which is done also when the signal is aborted. */
const REMOVE_LIMIT_MS = 30_000;

/** Takes twice the size on the disk of the temporary folder. Rejects with what storage and disk reject with; the test object is removed then too. */
export async function measureStorage(storage: Storage, options: MeasureOptions): Promise<StorageFigures> {
  const { prefix, sizeBytes, signal } = options;
  const place = `${prefix}${prefix.endsWith('/') ? '' : '/'}carpool-bench-${randomUUID()}`;
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-bench-'));
  const sent = path.join(folder, 'sent');
  const remove = (): Promise<void> => storage.remove(place, { signal: AbortSignal.timeout(REMOVE_LIMIT_MS) });
  try {
    await writeRandom(sent, sizeBytes);
    const upSeconds = await secondsOf(() => storage.upload(sent, place, { signal }));
    const downSeconds = await secondsOf(() => storage.download(place, path.join(folder, 'received'), { signal }));
    await remove();
    return figuresOf(sizeBytes, upSeconds, downSeconds);
  } catch (error) {
    // What failed first says more.
    await remove().catch(() => undefined);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bytes that no storage makes smaller, as long as it does not look for repetitions over a megabyte apart. */
async function writeRandom(file: string, sizeBytes: number): Promise<void> {
  const block = randomBytes(BLOCK_BYTES);
  const handle = await open(file, 'w');
  try {
    for (let at = 0; at < sizeBytes; at += BLOCK_BYTES)
      await handle.writeFile(block.subarray(0, Math.min(BLOCK_BYTES, sizeBytes - at)));
  } finally {
    await handle.close();
  }
}

async function secondsOf(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return (performance.now() - startedAt) / 1000;
}

function figuresOf(sizeBytes: number, upSeconds: number, downSeconds: number): StorageFigures {
  const megabytes = sizeBytes / 1e6;
  return {
    'ul_size(MB)': rounded(megabytes),
    'ul_duration(s)': rounded(upSeconds),
    'ul_throughput(Mbps)': rounded((megabytes * 8) / upSeconds),
    'dl_size(MB)': rounded(megabytes),
    'dl_duration(s)': rounded(downSeconds),
    'dl_throughput(Mbps)': rounded((megabytes * 8) / downSeconds),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** The figures as people read them. */
export function figuresTable(figures: StorageFigures): string {
  const row = (...cells: string[]): string =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(8) : cell.padStart(18)))
      .join('')
      .trimEnd();
  const line = (name: string, way: 'ul' | 'dl'): string =>
    row(
      name,
      ...([`${way}_size(MB)`, `${way}_duration(s)`, `${way}_throughput(Mbps)`] as const).map((key) =>
        figures[key].toFixed(3),
      ),
    );
  return [row('', 'size (MB)', 'time (s)', 'rate (Mbps)'), line('upload', 'ul'), line('download', 'dl')].join('\n');
}
