import { isRecord } from './errors.ts';
import { badReply } from './transport.ts';

/** Arrays of numbers by the datatype of the Open Inference Protocol that they hold. */
const ARRAYS = {
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

type ArrayType = keyof typeof ARRAYS;
/** Datatypes of the Open Inference Protocol. */
export type Datatype = ArrayType | 'FP16' | 'BF16' | 'BOOL' | 'BYTES';

/** Numbers, or bits of half floats, row by row. */
export type NumberArray = InstanceType<(typeof ARRAYS)[ArrayType]>;
/** Elements row by row; texts are `BYTES`, booleans `BOOL`. */
export type TensorData = NumberArray | readonly string[] | readonly boolean[];

/** A tensor to send. */
export interface InputTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
  /** Default: that of the array. `FP16` and `BF16` are the bits in a Uint16Array. */
  readonly datatype?: Datatype;
}

/** A tensor of a reply. */
export interface OutputTensor {
  readonly shape: readonly number[];
  readonly datatype: Datatype;
  readonly data: TensorData;
}

/** The head and the bytes of a binary request (docs/api.md, Binary tensors). */
export interface BinaryRequest {
  readonly headBytes: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A request in binary: JSON, then the tensors' bytes in their order. Throws a TypeError for a tensor whose elements do not fill its shape. */
export function encodeRequest(
  inputs: Readonly<Record<string, InputTensor>>,
  request: Readonly<Record<string, unknown>>,
): BinaryRequest {
  const blobs: Uint8Array[] = [];
  const described = Object.entries(inputs).map(([name, { shape, data, datatype = datatypeOf(data) }]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    if (count !== data.length)
      throw new TypeError(`Input ${name} has ${data.length} elements, but its shape holds ${count}.`);
    const blob = bytesOf(data);
    blobs.push(blob);
    return { name, shape, datatype, parameters: { binary_data_size: blob.byteLength } };
  });
  const head = new TextEncoder().encode(JSON.stringify({ ...request, inputs: described }));
  return { headBytes: head.byteLength, body: joined([head, ...blobs]) };
}

function datatypeOf(data: TensorData): Datatype {
  if (Array.isArray(data)) return typeof data[0] === 'boolean' ? 'BOOL' : 'BYTES';
  const found = (Object.keys(ARRAYS) as ArrayType[]).find((name) => data instanceof ARRAYS[name]);
  if (found === undefined) throw new TypeError('Data must be a typed array, or an array of texts or of booleans.');
  return found;
}

function bytesOf(data: TensorData): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (typeof data[0] === 'boolean') return Uint8Array.from(data, Number);
  const encoder = new TextEncoder();
  return joined(
    data.flatMap((element) => {
      const text = encoder.encode(String(element));
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, text.byteLength, true);
      return [length, text];
    }),
  );
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

/** The head of a reply, with `outputs` as tensors by name. Throws a CarpoolError for a reply that breaks the protocol. */
export function decodeReply(
  response: Response,
  bytes: ArrayBuffer,
): { readonly head: Readonly<Record<string, unknown>>; readonly outputs: Record<string, OutputTensor> } {
  const headBytes = Number(response.headers.get('inference-header-content-length') ?? bytes.byteLength);
  const wrong = (what: string, cause?: unknown): Error => badReply(response, `The reply ${what}.`, cause);
  let head: unknown;
  try {
    head = JSON.parse(new TextDecoder().decode(bytes.slice(0, headBytes)));
  } catch (cause) {
    throw wrong('does not begin with JSON', cause);
  }
  if (!isRecord(head) || !Array.isArray(head['outputs'])) throw wrong('has no outputs');
  const outputs: Record<string, OutputTensor> = {};
  let at = headBytes;
  for (const output of head['outputs'] as readonly OutputHead[]) {
    const { name, datatype, shape, parameters } = output;
    const size = parameters?.binary_data_size;
    if (size === undefined) throw wrong(`has ${name} not in binary`);
    if (at + size > bytes.byteLength) throw wrong(`ends within ${name}`);
    outputs[name] = { shape, datatype, data: dataOf(datatype, bytes.slice(at, at + size)) };
    at += size;
  }
  return { head, outputs };
}

interface OutputHead {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly parameters?: { readonly binary_data_size?: number };
}

/** Elements in an array of their own: a copy, because a reply's tensors lie at any alignment. Little-endian, as every browser's arrays. */
function dataOf(datatype: Datatype, bytes: ArrayBuffer): TensorData {
  if (datatype === 'BYTES') return textsOf(bytes);
  if (datatype === 'BOOL') return Array.from(new Uint8Array(bytes), Boolean);
  if (datatype === 'FP16' || datatype === 'BF16') return new Uint16Array(bytes);
  return new ARRAYS[datatype](bytes);
}

function textsOf(bytes: ArrayBuffer): string[] {
  const [view, decoder] = [new DataView(bytes), new TextDecoder()];
  const texts: string[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const length = view.getUint32(at, true);
    texts.push(decoder.decode(new Uint8Array(bytes, at + 4, length)));
    at += 4 + length;
  }
  return texts;
}
