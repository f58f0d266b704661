import { FIXED_DATATYPES, elementCount, type BytesTensor, type Datatype, type Tensor } from '../../tensors/tensor.ts';
import { malformed, shown } from './error.ts';
import { utf8Text } from '../../json.ts';

/**
 * The binary tensor data extension: little-endian, row-major, no padding; BOOL is one byte, BYTES is a run of
 * (u32 length, bytes).
 */

const LENGTH_BYTES = 4;

/** What the sender said about the blob. */
export interface BlobHeader {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/**
 * A tensor from its blob: a view, at any alignment, except for BYTES. Throws BAD_REQUEST if the size does not fit the shape,
 * a BOOL is neither 0 nor 1, or BYTES are not UTF-8 (ONNX strings are Unicode).
 */
export function tensorFromBinary(header: BlobHeader, blob: Uint8Array): Tensor {
  const { name, datatype, shape } = header;
  if (datatype === 'BYTES') return { datatype, shape, data: textsFromBinary(header, blob) };
  const expected = elementCount(shape) * FIXED_DATATYPES[datatype].bytes;
  if (blob.byteLength !== expected)
    throw malformed(`input byte size mismatch for input ${shown(name)}. Expected ${expected}, got ${blob.byteLength}`);
  // Any other byte is undefined behaviour inside a runtime's C++.
  if (datatype === 'BOOL' && blob.some((value) => value > 1))
    throw malformed(`input ${shown(name)} is BOOL, but holds a byte other than 0 and 1`);
  return { datatype, shape, data: blob };
}

function textsFromBinary({ name, shape }: BlobHeader, blob: Uint8Array): string[] {
  const count = elementCount(shape);
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const texts: string[] = [];
  let at = 0;
  while (texts.length < count) {
    if (at + LENGTH_BYTES > blob.byteLength)
      throw malformed(`input ${shown(name)} holds ${texts.length} BYTES elements, expected ${count}`);
    const length = view.getUint32(at, true);
    at += LENGTH_BYTES;
    if (length > blob.byteLength - at)
      throw malformed(`element ${texts.length} of input ${shown(name)} is longer than its data`);
    texts.push(textFromBytes(name, texts.length, blob.subarray(at, at + length)));
    at += length;
  }
  if (at !== blob.byteLength)
    throw malformed(`input ${shown(name)} holds ${blob.byteLength - at} bytes more than its ${count} BYTES elements`);
  return texts;
}

/** The text of one BYTES element. Throws BAD_REQUEST if it is not UTF-8. */
export function textFromBytes(name: string, index: number, bytes: Uint8Array): string {
  const text = utf8Text(bytes);
  if (text === undefined) throw malformed(`element ${index} of input ${shown(name)} is not valid UTF-8`);
  return text;
}

/** A tensor as its blob: its own bytes where it has them, new ones for BYTES. */
export function tensorToBinary(tensor: Tensor): Uint8Array {
  return tensor.datatype === 'BYTES' ? textsToBinary(tensor) : tensor.data;
}

function textsToBinary({ data }: BytesTensor): Uint8Array {
  let size = 0;
  for (const text of data) size += LENGTH_BYTES + Buffer.byteLength(text, 'utf8');
  // Not from Buffer's shared pool: a reply may be transferred between threads.
  const blob = Buffer.from(new ArrayBuffer(size));
  let at = 0;
  for (const text of data) {
    const length = blob.write(text, at + LENGTH_BYTES, 'utf8');
    blob.writeUInt32LE(length, at);
    at += LENGTH_BYTES + length;
  }
  return new Uint8Array(blob.buffer);
}
