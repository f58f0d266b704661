import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';

/** What is sent in a request, once for each attempt. */
export interface Body {
  readonly size: number;
  /** In hexadecimal. */
  sha256(): Promise<string>;
  /** `onBytes` is called with the number of bytes that were taken from it. */
  open(onBytes: (bytes: number) => void): Readable;
}

const CHUNK_BYTES = 256 * 1024;

/** A part of a file. It is read twice, to be signed and to be sent: the second time comes from the page cache, and no part is held in memory. */
export function filePart(handle: FileHandle, from: number, to: number): Body {
  return {
    size: to - from,
    async sha256() {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - from));
      for (let at = from; at < to;) {
        const bytes = await readSome(handle, buffer, at, to);
        hash.update(buffer.subarray(0, bytes));
        at += bytes;
      }
      return hash.digest('hex');
    },
    open: (onBytes) => Readable.from(chunksOf(handle, [from, to], onBytes), { objectMode: false }),
  };
}

async function* chunksOf(
  handle: FileHandle,
  [from, to]: readonly [number, number],
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for (let at = from; at < to;) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at));
    const bytes = await readSome(handle, buffer, at, to);
    at += bytes;
    yield buffer.subarray(0, bytes);
    onBytes(bytes);
  }
}

async function readSome(handle: FileHandle, buffer: Buffer, at: number, to: number): Promise<number> {
  const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, to - at), at);
  if (bytesRead === 0) throw new Error('the file has become shorter while it was uploaded');
  return bytesRead;
}

export function bytesBody(bytes: Uint8Array): Body {
  return {
    size: bytes.byteLength,
    sha256: () => Promise.resolve(createHash('sha256').update(bytes).digest('hex')),
    open(onBytes) {
      const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const stream = Readable.from([whole], { objectMode: false });
      stream.on('end', () => onBytes(bytes.byteLength));
      return stream;
    },
  };
}
