import { appendFile, open, readFile, rm, stat, type FileHandle } from 'node:fs/promises';
import type { LimitFunction } from 'p-limit';
import { fetchPiece, piecesOf, type PieceParts } from '../transfer/piece.ts';
import { Together } from '../transfer/together.ts';
import type { HubClient, HubFile, Snapshot } from './client.ts';
import { HubError } from './hub-error.ts';
import { hubRetry, type HubRetry } from './retry.ts';

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
  readonly retry: HubRetry;
  /** Called with the number of new bytes; negative if some must be fetched again. */
  readonly onBytes: (bytes: number) => void;
}

/** The host cannot send part of a file, so the file must be fetched whole. */
export class NoRanges extends HubError {}

/** Brings `part` to the file's size; pieces that an earlier try finished are kept. Throws NoRanges, a HubError, or an error of the disk. */
export async function fetchPieces(file: HubFile, part: string, parts: DownloadParts): Promise<void> {
  const pieceBytes = Math.min(parts.pieceBytes, Math.max(1, file.size));
  const done = await readDone(part, pieceBytes);
  const handle = await open(part, done.size > 0 ? 'r+' : 'w');
  // A piece that fails fails the file, so the other pieces are not fetched in vain.
  const together = new Together(parts.retry.signal);
  const retry = { ...parts.retry, signal: together.signal };
  try {
    const pieceParts = piecePartsOf(file, handle, { ...parts, retry });
    const fetched = piecesOf(file.size, pieceBytes).map(async (piece) => {
      if (done.has(piece.index)) {
        parts.onBytes(piece.to - piece.from);
        return;
      }
      await parts.connections(() => fetchPiece(piece, pieceParts));
      await appendFile(`${part}.done`, `${piece.index}/${pieceBytes}\n`);
    });
    await together.all(fetched);
  } finally {
    await handle.close();
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

/** What the transfer of a piece needs to know of the hub. */
function piecePartsOf(file: HubFile, handle: FileHandle, parts: DownloadParts): PieceParts {
  const { snapshot, client, paceMs, onBytes } = parts;
  return {
    handle,
    retry: hubRetry(parts.retry),
    paceMs,
    onBytes,
    async open(range, signal) {
      const { statusCode, headers, body } = await client.open(snapshot, file.path, { range, signal });
      return {
        body,
        isRange: statusCode === 206 && String(headers['content-range']).startsWith(`bytes ${range?.[0]}-`),
      };
    },
    wrongSize: (which) => wrongSize(file, snapshot, which),
    tooSlow: () => new HubError(`${snapshot.repository}: ${file.path} comes too slowly`, { isPassing: true }),
    noRanges: () => new NoRanges('the hub cannot send a part of a file'),
  };
}

function wrongSize({ path: name, size }: HubFile, { repository }: Snapshot, which: string): HubError {
  return new HubError(`${repository}: ${name} has ${size} bytes in the hub's list, but ${which} came`, {
    isPassing: which === 'less',
  });
}
