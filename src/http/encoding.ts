import { promisify } from 'node:util';
import zlib from 'node:zlib';
import Negotiator from 'negotiator';

/** Response compression. Replies below this size are sent as they are. */
const MIN_BYTES = 1024;

type Compress = (bytes: Uint8Array) => Promise<Uint8Array>;

const zstdCompress = (zlib as { zstdCompress?: typeof zlib.gzip }).zstdCompress;
const gzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gzip);
const deflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflate);
const brotli = promisify<Uint8Array, zlib.BrotliOptions, Buffer>(zlib.brotliCompress);

/** Fast levels: the point is the network, and the cores are wanted for inference. */
const ENCODERS: Readonly<Record<string, Compress>> = {
  gzip: (bytes) => gzip(bytes, { level: 3 }),
  deflate: (bytes) => deflate(bytes, { level: 3 }),
  ...(zstdCompress === undefined ? {} : { zstd: promisify(zstdCompress) }),
  br: (bytes) => brotli(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
};

/** The coding for a reply: what the client likes best of `offered` (RFC 9110 12.5.3); undefined: as it is. */
export function chooseEncoding(acceptEncoding: string | undefined, offered: readonly string[]): string | undefined {
  if (acceptEncoding === undefined || acceptEncoding === '') return undefined;
  // As it is comes last: a client that likes it better than the others says so by its weight.
  const available = [...offered.filter((coding) => coding in ENCODERS), 'identity'];
  const coding = preferredEncoding(acceptEncoding, available);
  return coding === 'identity' ? undefined : coding;
}

/** Among what the client likes equally, our order decides. */
function preferredEncoding(acceptEncoding: string, available: string[]): string | undefined {
  // The types lack the option.
  const negotiator = new Negotiator({ headers: { 'accept-encoding': acceptEncoding } }) as unknown as {
    encoding(available: string[], options: { preferred: string[] }): string | undefined;
  };
  return negotiator.encoding(available, { preferred: available });
}

/** The body compressed, with its coding; as it is where that is not worth it. */
export async function compress(
  chunks: readonly Uint8Array[],
  coding: string | undefined,
): Promise<{ chunks: readonly Uint8Array[]; coding?: string }> {
  const encoder = coding === undefined ? undefined : ENCODERS[coding];
  const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  if (encoder === undefined || coding === undefined || size < MIN_BYTES) return { chunks };
  return {
    chunks: [await encoder(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))],
    coding,
  };
}
