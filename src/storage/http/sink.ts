import type { FileHandle } from 'node:fs/promises';
import { diskError } from '../disk-error.ts';
import { StorageError } from '../storage.ts';

/** Where the bytes of an object go, in any order. What it throws ends the reading. */
export interface Sink {
  /** Called before the first byte, and when everything is read anew; the size is undefined where the server does not tell it. */
  begin(size: number | undefined): Promise<void>;
  write(chunk: Uint8Array, at: number): Promise<void>;
}

/** What limits a sink, and what its errors name. */
export interface SinkLimits {
  readonly limitBytes: number;
  readonly shown: string;
}

function checkSize(size: number, { limitBytes, shown }: SinkLimits): void {
  if (size > limitBytes) throw new StorageError('TOO_LARGE', `${shown}: larger than ${limitBytes} bytes`);
}

export class FileSink implements Sink {
  readonly #handle: FileHandle;
  readonly #limits: SinkLimits;

  constructor(handle: FileHandle, limits: SinkLimits) {
    this.#handle = handle;
    this.#limits = limits;
  }

  async begin(size = 0): Promise<void> {
    checkSize(size, this.#limits);
    await this.#handle.truncate(0);
  }

  async write(chunk: Uint8Array, at: number): Promise<void> {
    checkSize(at + chunk.byteLength, this.#limits);
    try {
      for (let written = 0; written < chunk.byteLength;) {
        const { bytesWritten } = await this.#handle.write(chunk, written, chunk.byteLength - written, at + written);
        written += bytesWritten;
      }
    } catch (error) {
      throw diskError(error, this.#limits.shown);
    }
  }
}

const FIRST_BYTES = 64 * 1024;

export class MemorySink implements Sink {
  readonly #limits: SinkLimits;
  #bytes = new Uint8Array(0);
  #length = 0;

  constructor(limits: SinkLimits) {
    this.#limits = limits;
  }

  begin(size = 0): Promise<void> {
    checkSize(size, this.#limits);
    this.#bytes = new Uint8Array(size);
    this.#length = 0;
    return Promise.resolve();
  }

  write(chunk: Uint8Array, at: number): Promise<void> {
    const end = at + chunk.byteLength;
    if (end > this.#bytes.byteLength) {
      checkSize(end, this.#limits);
      const grown = new Uint8Array(Math.min(this.#limits.limitBytes, Math.max(FIRST_BYTES, 2 * end)));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, at);
    this.#length = Math.max(this.#length, end);
    return Promise.resolve();
  }

  /** All bytes, in a buffer of exactly their length. */
  whole(): Uint8Array {
    return this.#length === this.#bytes.byteLength ? this.#bytes : this.#bytes.slice(0, this.#length);
  }
}
