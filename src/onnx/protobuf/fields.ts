import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Part } from './message.ts';

/**
 * Fields of protobuf messages in a file (protobuf.dev, "Encoding"), read where they lie. What is not asked for is skipped, so that of a graph
 * with gigabytes of weights only the kilobytes of structure are read.
 */

const WINDOW_BYTES = 64 * 1024;
/** Longest field that is read as a whole: names and small constants are not longer in a sound file. */
const LIMIT_BYTES = 1024 * 1024;
const NO_MESSAGE = 'the file is not a protobuf message';

/** Largest single read. */
const READ_BYTES = 64 * 1024 * 1024;

/** Part of a file, or of a message: from one byte up to another. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A field of a message: the place of its content, or the value of a varint. */
export interface Field extends Range {
  readonly number: number;
  /** Where its tag begins. */
  readonly start: number;
  /** Of a varint. */
  readonly value: number;
  /** Wire type 2: bytes, text, a nested message, packed numbers. */
  readonly delimited: boolean;
}

/** Opens a file for `read` and returns its result. Blocks; throws the disk's errors, and a plain Error where the file is no message. */
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
  #buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  /** The part of the file that has been read last, and its place. */
  #window = this.#buffer.subarray(0, 0);
  #start = 0;

  constructor(descriptor: number, sizeBytes: number) {
    this.#descriptor = descriptor;
    this.sizeBytes = sizeBytes;
  }

  /** The whole file. */
  get whole(): Range {
    return { from: 0, to: this.sizeBytes };
  }

  /** The fields of the message at this place. Throws a plain Error if the bytes are not a message. */
  *fields({ from, to }: Range = this.whole): Generator<Field> {
    let at = from;
    while (at < to) {
      const tag = this.#varint(at, to);
      const number = Math.floor(tag.value / 8);
      const wire = tag.value % 8;
      let field: Field;
      if (wire === 0) {
        const { value, next } = this.#varint(tag.next, to);
        field = { number, start: at, from: tag.next, to: next, value, delimited: false };
      } else if (wire === 2) {
        const { value, next } = this.#varint(tag.next, to);
        field = { number, start: at, from: next, to: next + value, value: 0, delimited: true };
      } else if (wire === 1 || wire === 5) {
        field = { number, start: at, from: tag.next, to: tag.next + (wire === 1 ? 8 : 4), value: 0, delimited: false };
      } else {
        throw new Error(NO_MESSAGE);
      }
      if (number === 0 || field.to > to) throw new Error(NO_MESSAGE);
      yield field;
      at = field.to;
    }
  }

  text(range: Range): string {
    return this.#view(range).toString('utf8');
  }

  /** The first text field of that number in a message; '' where there is none. */
  textIn(message: Range, number: number): string {
    for (const field of this.fields(message)) if (field.number === number) return this.text(field);
    return '';
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

  /** A copy of the bytes there. Throws a plain Error where they are too many or not there. */
  bytes(range: Range): Buffer {
    return Buffer.from(this.#view(range));
  }

  /** The bytes there, however many, to be read when they are copied: before the file is closed. */
  part({ from, to }: Range): Part {
    return {
      byteLength: to - from,
      copyTo: (target, at) => readInto(this.#descriptor, from, target.subarray(at, at + to - from)),
    };
  }

  #view({ from, to }: Range): Buffer {
    if (to - from > LIMIT_BYTES) throw new Error(`a field of ${to - from} bytes is longer than any name`);
    this.#hold(from, to);
    return this.#window.subarray(from - this.#start, to - this.#start);
  }

  /** Makes the window cover a piece of the file. */
  #hold(from: number, to: number): void {
    if (from >= this.#start && to <= this.#start + this.#window.byteLength) return;
    if (to - from > this.#buffer.byteLength) this.#buffer = Buffer.allocUnsafeSlow(to - from);
    const count = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.byteLength, from);
    this.#window = this.#buffer.subarray(0, count);
    this.#start = from;
    if (to > from + count) throw new Error('the file ends early');
  }

  #varint(from: number, to: number): { value: number; next: number } {
    const end = Math.min(from + 10, to);
    this.#hold(from, end);
    let value = 0;
    for (let at = from, scale = 1; at < end; at += 1, scale *= 128) {
      const byte = this.#window[at - this.#start] ?? 0;
      // Ten bytes hold a negative number of 64 bits: a float near 2^64 could not tell -1 from 0.
      if (at === from + 9)
        return { value: negative(this.#window.subarray(from - this.#start, at - this.#start)), next: at + 1 };
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return { value, next: at + 1 };
    }
    throw new Error(NO_MESSAGE);
  }
}

/** Fills `target` with a file's bytes from `position` on. Throws a plain Error where the file ends early. */
export function readInto(descriptor: number, position: number, target: Uint8Array): void {
  for (let at = 0; at < target.byteLength;) {
    const count = readSync(descriptor, target, at, Math.min(READ_BYTES, target.byteLength - at), position + at);
    if (count === 0) throw new Error('a file of weights became shorter while it was read');
    at += count;
  }
}

/** The number whose lowest 63 bits are given, seven in a byte, and whose sign bit is set. */
function negative(groups: Uint8Array): number {
  let value = 1n << 63n;
  for (const [index, byte] of groups.entries()) value |= BigInt(byte & 0x7f) << BigInt(7 * index);
  return Number(BigInt.asIntN(64, value));
}
