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

/** What came is written in blocks of at least this size, except the last: of TLS it comes in records of 16 KiB, and each write is a task of another thread. */
const BLOCK_BYTES = 256 * 1024;

/** Fetches a piece and writes it to its place in the file; after a connection that broke or was too slow, it goes on where that ended. */
export async function fetchPiece(piece: Piece, parts: PieceParts): Promise<void> {
  const { retry, open } = parts;
  const place = new PlaceInFile(piece, parts);
  await retrying(retry, async (noteProgress) => {
    // The connection broke behind the last byte: there is no range to ask for.
    if (place.at >= piece.to) return;
    const startedAt = place.at;
    const slow = watchPace(() => place.at, parts);
    try {
      const signal = AbortSignal.any([slow.signal, ...(retry.signal === undefined ? [] : [retry.signal])]);
      const isWholeFile = piece.isWhole && startedAt === 0;
      const { body, isRange } = await open(isWholeFile ? undefined : [startedAt, piece.to - 1], signal);
      try {
        if (!isWholeFile && !isRange) {
          if (!piece.isWhole) throw parts.noRanges();
          place.restart();
        }
        for await (const chunk of body as AsyncIterable<Buffer>) {
          if (place.at + chunk.length > piece.to) throw parts.wrongSize('more');
          await place.take(chunk);
          if (place.at - startedAt > PROGRESS_BYTES) noteProgress();
        }
      } finally {
        // The rest of a body that was not read to its end is not wanted.
        body.on('error', () => undefined).destroy();
        await place.flush();
      }
    } catch (error) {
      slow.signal.throwIfAborted();
      throw error;
    } finally {
      slow.stop();
    }
    if (place.at < piece.to) throw parts.wrongSize('less');
  });
}

/** Where the next byte of a piece goes. */
class PlaceInFile {
  /** Behind the last byte that has come. */
  at: number;
  readonly #parts: Pick<PieceParts, 'handle' | 'onBytes'>;
  /** Not written yet. */
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor({ from }: Piece, parts: Pick<PieceParts, 'handle' | 'onBytes'>) {
    this.at = from;
    this.#parts = parts;
  }

  async take(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.at += chunk.length;
    this.#parts.onBytes(chunk.length);
    if (this.#bytes >= BLOCK_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const [first, ...others] = this.#chunks;
    if (first === undefined) return;
    const block = others.length === 0 ? first : Buffer.concat(this.#chunks);
    const position = this.at - this.#bytes;
    this.#chunks = [];
    this.#bytes = 0;
    for (let written = 0; written < block.length;) {
      const length = block.length - written;
      const { bytesWritten } = await this.#parts.handle.write(block, written, length, position + written);
      written += bytesWritten;
    }
  }

  /** The file comes from its beginning again. */
  restart(): void {
    this.#parts.onBytes(-this.at);
    this.at = 0;
  }
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
