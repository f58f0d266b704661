import { appendFile, open, readFile, rm, stat, type FileHandle } from 'node:fs/promises';
import type { LimitFunction } from 'p-limit';
import { retrying, type HubClient, type HubFile, type RetryPolicy, type Snapshot } from './client.ts';
import { HubError } from './hub-error.ts';

/** What all downloads of a pull share. */
export interface DownloadParts {
  readonly client: HubClient;
  readonly snapshot: Snapshot;
  /** Connections at one time. */
  readonly connections: LimitFunction;
  /** A large file is fetched in pieces of this size, side by side. A restart loses at most one piece for each connection. */
  readonly pieceBytes: number;
  /** A connection that delivers less than `LEAST_BYTES` in this time is closed and retried. */
  readonly paceMs: number;
  readonly retry: RetryPolicy;
  /** Called with the number of new bytes; negative if some must be fetched again. */
  readonly onBytes: (bytes: number) => void;
}

/** The host cannot send part of a file, so the file must be fetched whole. */
export class NoRanges extends HubError {}

/** An attempt that brought this much does not count as a failure, though it ended early. */
const PROGRESS_BYTES = 256 * 1024;
const LEAST_BYTES = 16 * 1024;

interface Piece {
  readonly index: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Brings `part` to the file's size; pieces that an earlier try finished are kept. Throws NoRanges, a HubError, or an error of the disk. */
export async function fetchPieces(file: HubFile, part: string, parts: DownloadParts): Promise<void> {
  const pieceBytes = Math.min(parts.pieceBytes, Math.max(1, file.size));
  const done = await readDone(part, pieceBytes);
  const handle = await open(part, done.size > 0 ? 'r+' : 'w');
  // A piece that fails fails the file, so the other pieces are not fetched in vain.
  const together = new Together(parts.retry.signal);
  const retry = { ...parts.retry, signal: together.signal };
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
      await parts.connections(() => fetchPiece(file, piece, handle, { ...parts, retry }));
      await appendFile(`${part}.done`, `${piece.index}/${pieceBytes}\n`);
    });
    await together.all(fetched);
  } finally {
    await handle.close();
  }
}

/** Work that is done side by side: the first failure ends the rest by the signal. */
export class Together {
  /** Aborted by the signal that was given, or by the first failure. */
  readonly signal: AbortSignal;
  readonly #failing = new AbortController();

  constructor(outer: AbortSignal | undefined) {
    this.signal = AbortSignal.any([this.#failing.signal, ...(outer === undefined ? [] : [outer])]);
  }

  /** Resolves when all are done. Rejects with the first error, when all have ended: none writes to a file that is closed. */
  async all(promises: readonly Promise<void>[]): Promise<void> {
    try {
      await Promise.all(promises);
    } catch (error) {
      this.#failing.abort(error);
      await Promise.allSettled(promises);
      throw error;
    }
  }
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

/** Fetches a piece and writes it to its place; after a connection that broke or was too slow, it goes on where that ended. */
async function fetchPiece(file: HubFile, piece: Piece, handle: FileHandle, parts: DownloadParts): Promise<void> {
  const { retry, snapshot, client, onBytes } = parts;
  let at = piece.from;
  await retrying(retry, async (noteProgress) => {
    // The connection broke behind the last byte: there is no range to ask for.
    if (at >= piece.to) return;
    const startedAt = at;
    const isWholeFile = at === 0 && piece.to === file.size;
    const slow = watchPace(() => at, file, parts);
    try {
      const range = isWholeFile ? undefined : ([at, piece.to - 1] as const);
      const signal = AbortSignal.any([slow.signal, ...(retry.signal === undefined ? [] : [retry.signal])]);
      const response = await client.open(snapshot, file.path, { range, signal });
      try {
        if (!isWholeFile && !isRange(response.statusCode, response.headers['content-range'], at)) {
          if (piece.from > 0 || piece.to < file.size) throw new NoRanges('the hub cannot send a part of a file');
          onBytes(-at);
          at = 0;
        }
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          if (at + chunk.length > piece.to) throw wrongSize(file, snapshot, 'more');
          await writeAll(handle, chunk, at);
          at += chunk.length;
          onBytes(chunk.length);
          if (at - startedAt > PROGRESS_BYTES) noteProgress();
        }
      } finally {
        // The rest of a body that was not read to its end is not wanted.
        response.body.on('error', () => undefined).destroy();
      }
    } finally {
      slow.stop();
    }
    if (at < piece.to) throw wrongSize(file, snapshot, 'less');
  });
}

/** A signal that ends an attempt that is too slow, so that it is retried. */
function watchPace(
  position: () => number,
  { path: name }: HubFile,
  { paceMs, snapshot }: DownloadParts,
): { signal: AbortSignal; stop: () => void } {
  const slow = new AbortController();
  let before = position();
  const timer = setInterval(() => {
    const now = position();
    if (now - before < LEAST_BYTES)
      slow.abort(new HubError(`${snapshot.repository}: ${name} comes too slowly`, { isPassing: true }));
    before = now;
  }, paceMs);
  return { signal: slow.signal, stop: () => clearInterval(timer) };
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
