/** Bytes that lie elsewhere until the message is finished: a part of a file, say. */
export interface Part {
  readonly byteLength: number;
  /** Writes them into `target`, from its place `at` on. */
  copyTo(target: Uint8Array, at: number): void;
}

/**
 * A protobuf message being written (protobuf.dev, "Encoding"). It is collected as chunks, so that weights of many megabytes are copied once, at
 * the very end.
 */
export class Message {
  readonly #chunks: (Uint8Array | Part)[] = [];
  #bytes = 0;

  /** A varint field: int64, int32, enum. */
  integer(field: number, value: number | bigint): this {
    this.#push(varint(key(field, 0)));
    return this.#push(varint(BigInt.asUintN(64, BigInt(value))));
  }

  /** A 32-bit field of wire type 5: float. */
  float(field: number, value: number): this {
    this.#push(varint(key(field, 5)));
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#push(bytes);
  }

  /** A length-delimited field: bytes, text or a nested message. */
  field(field: number, value: Uint8Array | string | Message): this {
    const content = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    this.#push(varint(key(field, 2)));
    this.#push(varint(BigInt(content instanceof Message ? content.#bytes : content.byteLength)));
    return content instanceof Message ? this.fields(content) : this.#push(content);
  }

  /** All fields of another message. */
  fields(other: Message): this {
    for (const chunk of other.#chunks) this.#push(chunk);
    return this;
  }

  /** Fields as they stood in another message, tags and all. */
  raw(bytes: Uint8Array | Part): this {
    return this.#push(bytes);
  }

  /** The message as one array of bytes, in a buffer that can be given back at once: `buffer.resize(0)`. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(new ArrayBuffer(this.#bytes, { maxByteLength: this.#bytes }));
    let offset = 0;
    for (const chunk of this.#chunks) {
      if (chunk instanceof Uint8Array) bytes.set(chunk, offset);
      else chunk.copyTo(bytes, offset);
      offset += chunk.byteLength;
    }
    return bytes;
  }

  #push(chunk: Uint8Array | Part): this {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    return this;
  }
}

function key(field: number, wireType: number): bigint {
  return BigInt(field * 8 + wireType);
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
