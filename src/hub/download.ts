import { appendFile, mkdir, open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { HubClient, HubFile, Snapshot } from './client.ts';
import { isIntact } from './digest.ts';
import { HubError } from './hub-error.ts';
import { retrying, type RetryPolicy } from './retry.ts';
import type { Slots } from './slots.ts';

/** What all downloads of a pull share. */
export interface DownloadParts {
  readonly client: HubClient;
  readonly snapshot: Snapshot;
  /** Connections at one time. */
  readonly slots: Slots;
  /** A large file is fetched in pieces of this size, side by side; what a restart can lose. */
  readonly pieceBytes: number;
  readonly retry: RetryPolicy;
  /** Hears how many more bytes are there; negative when some have to be fetched again. */
  readonly onBytes: (bytes: number) => void;
}

/** Something that comes to a host which cannot send a part of a file. */
class NoRanges extends HubError {}

/** An attempt that brought this much was no failure, though it ended early. */
const PROGRESS_BYTES = 256 * 1024;

/**
 * Fetches one file to `target`, by way of `part`: what is there of it from an earlier try is kept. `target` appears only when the whole
 * file is there and its checksum is right. Rejects with a HubError, or what the disk says.
 */
export async function downloadFile(file: HubFile, target: string, part: string, parts: DownloadParts): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  for (const isLastTry of [false, true]) {
    const counted = await fetchWhole(file, part, parts);
    if (await isIntact(part, file)) {
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

interface Piece {
  readonly index: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

async function fetchPieces(file: HubFile, part: string, parts: DownloadParts): Promise<void> {
  const pieceBytes = Math.min(parts.pieceBytes, Math.max(1, file.size));
  const done = await readDone(part, pieceBytes);
  const handle = await open(part, done.size > 0 ? 'r+' : 'w');
  try {
    const pieces = Array.from({ length: Math.ceil(file.size / pieceBytes) }, (_, index): Piece => ({
      index,
      from: index * pieceBytes,
      to: Math.min(file.size, (index + 1) * pieceBytes),
    }));
    const fetched = pieces.map(async (piece) => {
      if (done.has(piece.index)) {
        parts.onBytes(piece.to - piece.from);
        return;
      }
      await parts.slots.run(() => fetchPiece(file, piece, handle, parts));
      await appendFile(`${part}.done`, `${piece.index}/${pieceBytes}\n`);
    });
    await allOrFirstError(fetched);
  } finally {
    await handle.close();
  }
}

/** Waits for all, so that none writes to a file that is closed; then throws the first error. */
async function allOrFirstError(promises: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Pieces that an earlier try finished; a line that was cut short does not count. */
async function readDone(part: string, pieceBytes: number): Promise<Set<number>> {
  if ((await stat(part).catch(() => undefined)) === undefined) {
    await rm(`${part}.done`, { force: true });
    return new Set();
  }
  const text = await readFile(`${part}.done`, 'utf8').catch(() => '');
  const lines = [...text.matchAll(/^(\d+)\/(\d+)\n/gm)];
  return new Set(lines.filter(([, , size]) => Number(size) === pieceBytes).map(([, index]) => Number(index)));
}

/** Fetches a piece and writes it to its place; a connection that breaks is taken up where it ended. */
async function fetchPiece(file: HubFile, piece: Piece, handle: FileHandle, parts: DownloadParts): Promise<void> {
  let at = piece.from;
  await retrying(parts.retry, async (noteProgress) => {
    const startedAt = at;
    const isWholeFile = at === 0 && piece.to === file.size;
    const response = await parts.client.open(parts.snapshot, file.path, isWholeFile ? undefined : [at, piece.to - 1]);
    try {
      if (!isWholeFile && !isRange(response.statusCode, response.headers['content-range'], at)) {
        if (piece.from > 0 || piece.to < file.size) throw new NoRanges('the hub cannot send a part of a file');
        parts.onBytes(-at);
        at = 0;
      }
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        if (at + chunk.length > piece.to) throw wrongSize(file, parts.snapshot, 'more');
        await writeAll(handle, chunk, at);
        at += chunk.length;
        parts.onBytes(chunk.length);
        if (at - startedAt > PROGRESS_BYTES) noteProgress();
      }
    } finally {
      // Of a body that was not read to its end nothing more is wanted.
      response.body.on('error', () => undefined).destroy();
    }
    if (at < piece.to) throw wrongSize(file, parts.snapshot, 'less');
  });
}

function isRange(status: number, contentRange: string | string[] | undefined, from: number): boolean {
  return status === 206 && String(contentRange).startsWith(`bytes ${from}-`);
}

function wrongSize({ path: name, size }: HubFile, { repository }: Snapshot, which: string): HubError {
  return new HubError(`${repository}: ${name} has ${size} bytes in the hub's list, but ${which} came`, {
    isPassing: which === 'less',
  });
}

async function writeAll(handle: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}
