/**
 * The part of the protobuf wire format that ONNX files need (protobuf.dev, "Encoding"). A message is collected as chunks, so
 * that weights of many megabytes are copied once, at the very end.
 */
export class Message {
  readonly #chunks: Uint8Array[] = [];
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
    if (value instanceof Message) {
      this.#push(varint(key(field, 2)));
      this.#push(varint(BigInt(value.#bytes)));
      for (const chunk of value.#chunks) this.#push(chunk);
      return this;
    }
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    this.#push(varint(key(field, 2)));
    this.#push(varint(BigInt(bytes.byteLength)));
    return this.#push(bytes);
  }

  /** A field as it stood in another message, tag and all. */
  raw(bytes: Uint8Array): this {
    return this.#push(bytes);
  }

  /** The message as one array of bytes. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return bytes;
  }

  #push(chunk: Uint8Array): this {
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
