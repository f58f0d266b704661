import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { retrying, type RetryPolicy } from './retry.ts';

/** A part of a file that is fetched on its own. */
export interface Piece {
  readonly index: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** It is the whole file. */
  readonly isWhole: boolean;
}

/** The pieces of a file, in their order; an empty file has none. */
export function piecesOf(size: number, pieceBytes: number): Piece[] {
  return Array.from({ length: Math.ceil(size / pieceBytes) }, (_, index) => ({
    index,
    from: index * pieceBytes,
    to: Math.min(size, (index + 1) * pieceBytes),
    isWhole: size <= pieceBytes,
  }));
}

export interface PieceParts {
  /** Begins to read the bytes of a range (first and last), or the whole file if none is given. */
  readonly open: (range: ByteRange | undefined, signal: AbortSignal) => Promise<OpenedPiece>;
  readonly handle: FileHandle;
  readonly retry: RetryPolicy;
  /** A connection that delivers less than `LEAST_BYTES` in this time is closed and retried. */
  readonly paceMs: number;
  /** Called with the number of new bytes; negative if some must be fetched again. */
  readonly onBytes: (bytes: number) => void;
  /** The error when the body has more or fewer bytes than the piece; only one that is passing is retried. */
  readonly wrongSize: (which: 'more' | 'less') => Error;
  /** The error when it comes too slowly; it must be a passing one. */
  readonly tooSlow: () => Error;
  /** The error when the other side sends the whole file where a part was asked for. */
  readonly noRanges: () => Error;
}

export type ByteRange = readonly [first: number, last: number];

export interface OpenedPiece {
  readonly body: Readable;
  /** False: the body is the whole file. */
  readonly isRange: boolean;
}

/** An attempt that brought this much does not count as a failure, though it ended early. */
const PROGRESS_BYTES = 256 * 1024;
const LEAST_BYTES = 16 * 1024;

/** Fetches a piece and writes it to its place in the file; after a connection that broke or was too slow, it goes on where that ended. */
export async function fetchPiece(piece: Piece, parts: PieceParts): Promise<void> {
  const { retry, open, handle, onBytes } = parts;
  let at = piece.from;
  await retrying(retry, async (noteProgress) => {
    // The connection broke behind the last byte: there is no range to ask for.
    if (at >= piece.to) return;
    const startedAt = at;
    const slow = watchPace(() => at, parts);
    try {
      const signal = AbortSignal.any([slow.signal, ...(retry.signal === undefined ? [] : [retry.signal])]);
      const isWholeFile = piece.isWhole && at === 0;
      const { body, isRange } = await open(isWholeFile ? undefined : [at, piece.to - 1], signal);
      try {
        if (!isWholeFile && !isRange) {
          if (!piece.isWhole) throw parts.noRanges();
          onBytes(-at);
          at = 0;
        }
        for await (const chunk of body as AsyncIterable<Buffer>) {
          if (at + chunk.length > piece.to) throw parts.wrongSize('more');
          await writeAll(handle, chunk, at);
          at += chunk.length;
          onBytes(chunk.length);
          if (at - startedAt > PROGRESS_BYTES) noteProgress();
        }
      } finally {
        // The rest of a body that was not read to its end is not wanted.
        body.on('error', () => undefined).destroy();
      }
    } catch (error) {
      slow.signal.throwIfAborted();
      throw error;
    } finally {
      slow.stop();
    }
    if (at < piece.to) throw parts.wrongSize('less');
  });
}

/** A signal that ends an attempt that is too slow, so that it is retried. */
function watchPace(position: () => number, { paceMs, tooSlow }: PieceParts): { signal: AbortSignal; stop: () => void } {
  const slow = new AbortController();
  let before = position();
  const timer = setInterval(() => {
    const now = position();
    if (now - before < LEAST_BYTES) slow.abort(tooSlow());
    before = now;
  }, paceMs);
  return { signal: slow.signal, stop: () => clearInterval(timer) };
}

async function writeAll(handle: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}
