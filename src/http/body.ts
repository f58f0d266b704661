import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { ServerError, toServerError } from '../errors.ts';

/** Bytes of request bodies held at one time, over all requests. */
export class BodyBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Throws QUEUE_FULL when the bytes are not to be had now. */
  take(bytes: number): void {
    if (this.#usedBytes + bytes > this.#limitBytes)
      throw new ServerError('QUEUE_FULL', 'The server holds as many request bodies as it can.', { retryAfterMs: 1000 });
    this.#usedBytes += bytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

export interface BodyLimits {
  readonly limitBytes: number;
  readonly budget: BodyBudget;
}

/** A body in one buffer of its own (never a part of Node's shared pool, so that it can be handed to another thread). */
export interface Body {
  readonly bytes: Uint8Array;
  /** Gives its share of the budget back; call it once. */
  readonly release: () => void;
}

/**
 * Reads and decompresses a request body. Throws TOO_LARGE (also when it grows beyond the limit by decompression),
 * UNSUPPORTED_MEDIA_TYPE (content encoding), BAD_REQUEST (cut off, not what its encoding says), CANCELLED (the client left).
 */
export async function readBody(request: IncomingMessage, { limitBytes, budget }: BodyLimits): Promise<Body> {
  const decompress = decoderOf(request.headers['content-encoding']);
  const declared = request.headers['content-length'];
  let heldBytes = 0;
  const hold = (bytes: number): void => {
    budget.take(bytes);
    heldBytes += bytes;
  };
  try {
    if (declared !== undefined && Number(declared) > limitBytes) throw tooLarge(limitBytes);
    const bytes =
      declared === undefined
        ? await readChunked(request, limitBytes, hold)
        : await readSized(request, Number(declared), hold);
    if (decompress === undefined) return { bytes, release: () => budget.give(heldBytes) };
    const plain = await decompress(bytes, limitBytes);
    hold(plain.byteLength);
    return { bytes: plain, release: () => budget.give(heldBytes) };
  } catch (error) {
    budget.give(heldBytes);
    throw error;
  }
}

function tooLarge(limitBytes: number): ServerError {
  return new ServerError('TOO_LARGE', `The request body is larger than ${limitBytes} bytes.`);
}

function readSized(request: IncomingMessage, size: number, hold: (bytes: number) => void): Promise<Uint8Array> {
  hold(size);
  const body = new Uint8Array(size);
  let at = 0;
  return collect(request, {
    chunk(chunk) {
      body.set(chunk, at);
      at += chunk.length;
    },
    end: () => body,
  });
}

function readChunked(request: IncomingMessage, limitBytes: number, hold: (bytes: number) => void): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  return collect(request, {
    chunk(chunk) {
      if (size + chunk.length > limitBytes) throw tooLarge(limitBytes);
      hold(chunk.length);
      chunks.push(chunk);
      size += chunk.length;
    },
    end() {
      const body = new Uint8Array(size);
      let at = 0;
      for (const chunk of chunks) {
        body.set(chunk, at);
        at += chunk.length;
      }
      return body;
    },
  });
}

function collect(
  request: IncomingMessage,
  { chunk, end }: { chunk: (bytes: Uint8Array) => void; end: () => Uint8Array },
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      then();
    };
    const onData = (bytes: Uint8Array): void => {
      try {
        chunk(bytes);
      } catch (error) {
        settle(() => reject(toServerError(error)));
      }
    };
    const onEnd = (): void => settle(() => resolve(end()));
    const onGone = (): void => settle(() => reject(new ServerError('CANCELLED')));
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

type Decoder = (bytes: Uint8Array, limitBytes: number) => Promise<Uint8Array>;
type ZlibCall = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;

/** zstd is there from Node 22.15 on. */
const zstdDecompress = (zlib as { zstdDecompress?: typeof zlib.gunzip }).zstdDecompress;

const DECODERS: Readonly<Record<string, ZlibCall>> = {
  gzip: promisify(zlib.gunzip),
  'x-gzip': promisify(zlib.gunzip),
  deflate: promisify(zlib.inflate),
  br: promisify(zlib.brotliDecompress),
  ...(zstdDecompress === undefined ? {} : { zstd: promisify(zstdDecompress) }),
};

function decoderOf(header: string | undefined): Decoder | undefined {
  const encoding = header?.trim().toLowerCase() ?? '';
  if (encoding === '' || encoding === 'identity') return undefined;
  const call = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (call === undefined)
    throw new ServerError('UNSUPPORTED_MEDIA_TYPE', `Content-Encoding may be ${Object.keys(DECODERS).join(', ')}.`);
  return async (bytes, limitBytes) => {
    try {
      const plain = await call(bytes, { maxOutputLength: limitBytes });
      // Short results lie in Node's shared pool; a body must own its memory.
      return plain.byteLength === plain.buffer.byteLength ? new Uint8Array(plain.buffer) : new Uint8Array(plain);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limitBytes);
      throw new ServerError('BAD_REQUEST', `The body is not valid ${encoding}.`);
    }
  };
}
