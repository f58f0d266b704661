import type { FileHandle } from 'node:fs/promises';
import type { LimitFunction } from 'p-limit';
import { fetchPiece, piecesOf, type PieceParts } from '../transfer/piece.ts';
import { Together } from '../transfer/together.ts';

/** The checksum of a whole object. */
export interface WholeHash {
  update(chunk: Buffer): unknown;
  /** Whether it is what the storage says. */
  isRight(): boolean | Promise<boolean>;
}

export interface RangesParts extends PieceParts {
  readonly size: number;
  readonly pieceBytes: number;
  /** Ranges at one time. */
  readonly limit: LimitFunction;
  readonly signal: AbortSignal;
  readonly check?: { readonly hash: WholeHash; readonly wrong: () => Error } | undefined;
}

const CHUNK_BYTES = 256 * 1024;

/** Brings an object into a file by ranges, side by side. Its checksum is taken from what is on the disk, behind the first range that is missing. Rejects with the first failure. */
export async function fetchRanges(parts: RangesParts): Promise<void> {
  const { size, pieceBytes, limit, check, handle } = parts;
  const together = new Together(parts.signal);
  const pieceParts = { ...parts, retry: { ...parts.retry, signal: together.signal } };
  const pieces = piecesOf(size, pieceBytes);
  const fetched = pieces.map((piece) =>
    limit(async () => {
      together.signal.throwIfAborted();
      await fetchPiece(piece, pieceParts);
    }),
  );
  const checked = async (): Promise<void> => {
    if (check === undefined) return;
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (const [index, { from, to }] of pieces.entries()) {
      await fetched[index];
      await hashPart(handle, [from, to], { hash: check.hash, buffer });
    }
    if (!(await check.hash.isRight())) throw check.wrong();
  };
  await together.all([...fetched, checked()]);
}

async function hashPart(
  handle: FileHandle,
  [from, to]: readonly [number, number],
  { hash, buffer }: { hash: WholeHash; buffer: Buffer },
): Promise<void> {
  for (let at = from; at < to;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, to - at), at);
    if (bytesRead === 0) throw new Error('the temporary file has become shorter');
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
