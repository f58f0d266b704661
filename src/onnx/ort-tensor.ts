import { Tensor as OrtTensor } from 'onnxruntime-node';
import { typedView, type Datatype, type Tensor } from '../tensors/tensor.ts';

/** Between the server's tensors and ONNX Runtime's. */

/** ONNX Runtime's names of element types. */
export const ORT_TYPES = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
} as const satisfies Partial<Record<Datatype, OrtTensor.Type>>;

const DATATYPES = new Map<string, Datatype>(
  Object.entries(ORT_TYPES).map(([datatype, ort]) => [ort, datatype as keyof typeof ORT_TYPES]),
);

/** The protocol's name of ONNX Runtime's element type; throws on one that this server cannot carry (4-bit integers). */
export function datatypeOf(ortType: string): Datatype {
  const datatype = DATATYPES.get(ortType);
  if (datatype === undefined) throw new Error(`element type ${ortType} is not supported`);
  return datatype;
}

/**
 * An ONNX Runtime tensor over the same memory where alignment allows. Throws a plain Error on BF16, which Node's binding has no
 * type for, and on texts with a NUL, which it would cut short there.
 */
export function toOrt(tensor: Tensor): OrtTensor {
  if (tensor.datatype === 'BYTES') {
    if (tensor.data.some((text) => text.includes('\0'))) throw new Error('a text must not contain a NUL character');
    return new OrtTensor('string', [...tensor.data], tensor.shape);
  }
  if (tensor.datatype === 'BF16') throw new Error('BF16 tensors cannot be run by ONNX Runtime for Node');
  const type = ORT_TYPES[tensor.datatype];
  return new OrtTensor(type, typedView(tensor) as Float32Array, tensor.shape);
}

/** The server's tensor over an output's own memory. */
export function fromOrt(output: OrtTensor): Tensor {
  const datatype = datatypeOf(output.type);
  if (datatype === 'BYTES') return { datatype, shape: output.dims, data: output.data as string[] };
  const { buffer, byteOffset, byteLength } = output.data as Float32Array;
  return { datatype, shape: output.dims, data: new Uint8Array(buffer, byteOffset, byteLength) };
}
