import { promisify } from 'node:util';
import zlib from 'node:zlib';
import Negotiator from 'negotiator';

/** Response compression. Smaller replies are not compressed. */
export const LEAST_COMPRESSED_BYTES = 1024;

type Compress = (bytes: Uint8Array) => Promise<Uint8Array>;

const zstdCompress = (zlib as { zstdCompress?: typeof zlib.gzip }).zstdCompress;
const gzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gzip);
const deflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflate);
const brotli = promisify<Uint8Array, zlib.BrotliOptions, Buffer>(zlib.brotliCompress);

/** Fast levels: they save most of the network time, and inference needs the cores. */
const ENCODERS: Readonly<Record<string, Compress>> = {
  gzip: (bytes) => gzip(bytes, { level: 3 }),
  deflate: (bytes) => deflate(bytes, { level: 3 }),
  ...(zstdCompress === undefined ? {} : { zstd: promisify(zstdCompress) }),
  br: (bytes) => brotli(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
};

/** The coding for a reply: the one of `offered` that the client prefers (RFC 9110 12.5.3); undefined for none. */
export function chooseEncoding(acceptEncoding: string | undefined, offered: readonly string[]): string | undefined {
  if (acceptEncoding === undefined || acceptEncoding === '') return undefined;
  // `identity` comes last: a client that prefers it says so by its weight.
  const available = [...offered.filter((coding) => coding in ENCODERS), 'identity'];
  const coding = preferredEncoding(acceptEncoding, available);
  return coding === 'identity' ? undefined : coding;
}

/** The coding that the client prefers; among equal ones our order decides. */
function preferredEncoding(acceptEncoding: string, available: string[]): string | undefined {
  // The option is missing in the types.
  const negotiator = new Negotiator({ headers: { 'accept-encoding': acceptEncoding } }) as unknown as {
    encoding(available: string[], options: { preferred: string[] }): string | undefined;
  };
  return negotiator.encoding(available, { preferred: available });
}

/** The compressed body with its coding; the body as it is if compressing is not worth it. */
export async function compress(
  chunks: readonly Uint8Array[],
  coding: string | undefined,
): Promise<{ chunks: readonly Uint8Array[]; coding?: string }> {
  const encoder = coding === undefined ? undefined : ENCODERS[coding];
  const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  if (encoder === undefined || coding === undefined || size < LEAST_COMPRESSED_BYTES) return { chunks };
  return {
    chunks: [await encoder(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))],
    coding,
  };
}
