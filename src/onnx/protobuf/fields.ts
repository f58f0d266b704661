import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * Fields of protobuf messages in a file (protobuf.dev, "Encoding"), read where they lie. What is not asked for is skipped, so that a graph
 * of many gigabytes of weights is read by its few kilobytes of structure.
 */

const WINDOW_BYTES = 64 * 1024;
/** Longest field that is read whole: names, small constants. Nothing that is asked for is longer in a sound file. */
const LIMIT_BYTES = 1024 * 1024;
const NO_MESSAGE = 'the file is not a protobuf message';

/** A field of a message: where its content lies, or the value of a varint. */
export interface Field {
  readonly number: number;
  readonly from: number;
  readonly to: number;
  /** Of a varint. */
  readonly value: number;
  /** Wire type 2: bytes, text, a nested message, packed numbers. */
  readonly delimited: boolean;
}

/** What `read` makes of a file's fields. Blocks; throws what the disk says, and a plain Error where the file is no message. */
export function readFields<Result>(path: string, read: (fields: FileFields) => Result): Result {
  const descriptor = openSync(path, 'r');
  try {
    return read(new FileFields(descriptor, fstatSync(descriptor).size));
  } finally {
    closeSync(descriptor);
  }
}

/** An open file, read in windows. */
export class FileFields {
  readonly #descriptor: number;
  readonly sizeBytes: number;
  #window = Buffer.alloc(0);
  #start = 0;

  constructor(descriptor: number, sizeBytes: number) {
    this.#descriptor = descriptor;
    this.sizeBytes = sizeBytes;
  }

  /** The fields of the message that lies from `from` to `to`. Throws a plain Error where the bytes are none. */
  *fields(from = 0, to = this.sizeBytes): Generator<Field> {
    let at = from;
    while (at < to) {
      const tag = this.#varint(at, to);
      const number = Math.floor(tag.value / 8);
      const wire = tag.value % 8;
      let field: Field;
      if (wire === 0) {
        const { value, next } = this.#varint(tag.next, to);
        field = { number, from: tag.next, to: next, value, delimited: false };
      } else if (wire === 2) {
        const { value, next } = this.#varint(tag.next, to);
        field = { number, from: next, to: next + value, value: 0, delimited: true };
      } else if (wire === 1 || wire === 5) {
        field = { number, from: tag.next, to: tag.next + (wire === 1 ? 8 : 4), value: 0, delimited: false };
      } else {
        throw new Error(NO_MESSAGE);
      }
      if (number === 0 || field.to > to) throw new Error(NO_MESSAGE);
      yield field;
      at = field.to;
    }
  }

  text({ from, to }: Field): string {
    return this.bytes(from, to).toString('utf8');
  }

  /** A repeated integer: packed, or one of several fields. Beyond 2^53 not exact. */
  integers({ from, to, value, delimited }: Field): number[] {
    if (!delimited) return [value];
    const values: number[] = [];
    for (let at = from; at < to;) {
      const read = this.#varint(at, to);
      values.push(read.value);
      at = read.next;
    }
    return values;
  }

  /** A copy of the bytes from `from` to `to`. Throws a plain Error where they are too many or not there. */
  bytes(from: number, to: number): Buffer {
    if (to - from > LIMIT_BYTES) throw new Error(`a field of ${to - from} bytes is longer than any name`);
    return Buffer.from(this.#view(from, to));
  }

  #view(from: number, to: number): Buffer {
    this.#hold(from, to);
    return this.#window.subarray(from - this.#start, to - this.#start);
  }

  /** Makes the window cover a piece of the file. */
  #hold(from: number, to: number): void {
    if (from >= this.#start && to <= this.#start + this.#window.byteLength) return;
    const window = Buffer.alloc(Math.min(Math.max(WINDOW_BYTES, to - from), Math.max(0, this.sizeBytes - from)));
    const count = readSync(this.#descriptor, window, 0, window.byteLength, from);
    this.#window = window.subarray(0, count);
    this.#start = from;
    if (to > from + count) throw new Error('the file ends early');
  }

  #varint(from: number, to: number): { value: number; next: number } {
    const end = Math.min(from + 10, to);
    this.#hold(from, end);
    let value = 0;
    for (let at = from, scale = 1; at < end; at += 1, scale *= 128) {
      const byte = this.#window[at - this.#start] ?? 0;
      // Ten bytes are a negative number of 64 bits: near 2^64 a float could not tell -1 from 0.
      if (at === from + 9)
        return { value: negative(this.#window.subarray(from - this.#start, at - this.#start)), next: at + 1 };
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return { value, next: at + 1 };
    }
    throw new Error(NO_MESSAGE);
  }
}

/** The number whose lowest 63 bits are given, seven in a byte, and whose sign bit is set. */
function negative(groups: Uint8Array): number {
  let value = 1n << 63n;
  for (const [index, byte] of groups.entries()) value |= BigInt(byte & 0x7f) << BigInt(7 * index);
  return Number(BigInt.asIntN(64, value));
}
