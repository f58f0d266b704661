import { mkdir, readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { Together } from '../transfer/together.ts';
import type { HubClient, HubFile, Snapshot } from './client.ts';
import { downloadFile, isIntact } from './download.ts';
import { HubError } from './hub-error.ts';
import type { DownloadParts } from './pieces.ts';
import { linkOrCopy } from './place.ts';
import { megabytes, type Progress } from './progress.ts';
import type { HubRetry } from './retry.ts';

export interface PullTuning {
  readonly pieceBytes: number;
  readonly connections: number;
  readonly attempts: number;
  readonly firstDelayMs: number;
  /** Longest silence of a connection. */
  readonly silenceMs: number;
  /** Longest time for an answer of the hub, files excepted. */
  readonly answerMs: number;
  /** How often the pace of a connection is checked. */
  readonly paceMs: number;
}

interface GatherParts {
  readonly client: HubClient;
  readonly snapshot: Snapshot;
  readonly hidden: string;
  readonly target: string;
  readonly retry: HubRetry;
  readonly tuning: PullTuning;
}

/** Downloads all files into the hidden folder, except those left there by an earlier try or found in the folder that is being replaced. */
export async function gather(files: readonly HubFile[], parts: GatherParts, progress: Progress): Promise<void> {
  const { snapshot, hidden, target, tuning, retry } = parts;
  const folder = path.join(hidden, 'folder');
  await mkdir(path.join(hidden, 'parts'), { recursive: true });
  await mkdir(folder, { recursive: true });
  const missing: HubFile[] = [];
  for (const file of files) {
    const there = path.join(folder, file.path);
    if (await isIntact(there, file, retry.signal)) continue;
    const old = path.join(target, file.path);
    if (await isIntact(old, file, retry.signal)) await linkOrCopy(old, there);
    else missing.push(file);
  }
  await checkSpace(hidden, sum(missing));
  progress.start(snapshot.repository, sum(files), sum(files) - sum(missing));
  const together = new Together(retry.signal);
  const shared: DownloadParts = {
    ...parts,
    retry: { ...retry, signal: together.signal },
    connections: pLimit(tuning.connections),
    pieceBytes: tuning.pieceBytes,
    paceMs: tuning.paceMs,
    onBytes: (bytes) => progress.add(bytes),
  };
  // Each download holds a file open, so there are no more of them than connections.
  const openFiles = pLimit(tuning.connections);
  const fetched = missing.map((file) => {
    // Two files with the same content have a part each.
    const part = path.join(hidden, 'parts', `${file.digest.replace(':', '-')}-${files.indexOf(file)}`);
    return openFiles(() => downloadFile(file, path.join(folder, file.path), part, shared));
  });
  try {
    await together.all(fetched);
  } finally {
    progress.stop();
  }
}

/** Throws a HubError when what is to come does not fit on the disk. */
async function checkSpace(hidden: string, missingBytes: number): Promise<void> {
  const parts = path.join(hidden, 'parts');
  let thereBytes = 0;
  // Parts have holes where nothing was fetched yet, so their blocks on the disk count.
  for (const name of await readdir(parts)) thereBytes += (await stat(path.join(parts, name))).blocks * 512;
  const { bavail, bsize } = await statfs(hidden);
  if (missingBytes - thereBytes > bavail * bsize)
    throw new HubError(
      `the disk of ${path.dirname(hidden)} has ${megabytes(bavail * bsize)} MB free, and ${megabytes(missingBytes - thereBytes)} MB are to come: make room`,
    );
}

/** Bytes of files together. */
export function sum(files: readonly { readonly size: number }[]): number {
  return files.reduce((bytes, { size }) => bytes + size, 0);
}
