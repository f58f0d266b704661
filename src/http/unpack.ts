import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { ServerError, toServerError } from '../errors.ts';
import type { Cancellation } from '../serving/cancellation.ts';
import type { Deadline } from '../serving/deadline.ts';

/** Content codings of request bodies. */

const CHUNK_BYTES = 64 * 1024;
/** RFC 8878 (7.2) asks for windows of up to 8 MiB; libzstd's own limit would allow 128 MiB for each stream. */
const ZSTD_WINDOW_LOG = 23;

type Open = (options?: object) => Transform;

/** Node has zstd from 22.15 on. */
const { createZstdDecompress, constants } = zlib as {
  createZstdDecompress?: Open;
  constants: Readonly<Record<string, number>>;
};
const zstdWindow = constants['ZSTD_d_windowLogMax'];

const CODINGS: Readonly<Record<string, Open>> = {
  gzip: () => zlib.createGunzip({ chunkSize: CHUNK_BYTES }),
  'x-gzip': () => zlib.createGunzip({ chunkSize: CHUNK_BYTES }),
  deflate: () => zlib.createInflate({ chunkSize: CHUNK_BYTES }),
  br: () => zlib.createBrotliDecompress({ chunkSize: CHUNK_BYTES }),
  ...(createZstdDecompress === undefined
    ? {}
    : {
        zstd: () =>
          createZstdDecompress({
            chunkSize: CHUNK_BYTES,
            ...(zstdWindow === undefined ? {} : { params: { [zstdWindow]: ZSTD_WINDOW_LOG } }),
          }),
      }),
};

/** The coding that a Content-Encoding names; undefined for none. Throws UNSUPPORTED_MEDIA_TYPE for an unknown one. */
export function codingOf(contentEncoding: string | undefined): string | undefined {
  if (contentEncoding === undefined) return undefined;
  const coding = contentEncoding.trim().toLowerCase();
  if (coding === '' || coding === 'identity') return undefined;
  if (Object.hasOwn(CODINGS, coding)) return coding;
  throw new ServerError('UNSUPPORTED_MEDIA_TYPE', `Content-Encoding may be ${Object.keys(CODINGS).join(', ')}.`);
}

/**
 * Unpacks a body piece by piece. Throws what `take` throws (and stops there), BAD_REQUEST if the body is not of the coding,
 * CANCELLED, DEADLINE_EXCEEDED.
 */
export function unpack(
  packed: Uint8Array,
  coding: string,
  {
    take,
    cancellation,
    deadline,
  }: {
    take: (piece: Uint8Array) => void;
    cancellation?: Cancellation | undefined;
    deadline: Deadline;
  },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = (CODINGS[coding] as Open)();
    const end = (error: Error): void => {
      stream.destroy();
      reject(error);
    };
    stream.on('data', (piece: Uint8Array) => {
      try {
        take(piece);
      } catch (error) {
        end(toServerError(error));
      }
    });
    stream.on('end', resolve);
    stream.on('error', () => reject(new ServerError('BAD_REQUEST', `The body is not valid ${coding}.`)));
    const work = { cancel: () => end(new ServerError('CANCELLED')) };
    const late = setTimeout(() => end(new ServerError('DEADLINE_EXCEEDED')), deadline.leftMs());
    stream.on('close', () => {
      clearTimeout(late);
      cancellation?.remove(work);
    });
    cancellation?.add(work);
    stream.end(packed);
  });
}
