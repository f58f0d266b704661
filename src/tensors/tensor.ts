/**
 * Tensors as they travel through the server: raw little-endian bytes, row-major, at any alignment. Stacking, splitting and
 * binary encoding are then plain byte copies; `typedView` gives numbers.
 */

/** Numeric and boolean element types of the Open Inference Protocol: bytes per element and the typed array that reads them. */
export const FIXED_DATATYPES = {
  BOOL: { bytes: 1, array: Uint8Array },
  UINT8: { bytes: 1, array: Uint8Array },
  UINT16: { bytes: 2, array: Uint16Array },
  UINT32: { bytes: 4, array: Uint32Array },
  UINT64: { bytes: 8, array: BigUint64Array },
  INT8: { bytes: 1, array: Int8Array },
  INT16: { bytes: 2, array: Int16Array },
  INT32: { bytes: 4, array: Int32Array },
  INT64: { bytes: 8, array: BigInt64Array },
  FP16: { bytes: 2, array: Uint16Array },
  BF16: { bytes: 2, array: Uint16Array },
  FP32: { bytes: 4, array: Float32Array },
  FP64: { bytes: 8, array: Float64Array },
} as const;

export type FixedDatatype = keyof typeof FIXED_DATATYPES;
export type Datatype = FixedDatatype | 'BYTES';

/** A tensor with elements of fixed size: `data` holds exactly product(shape) * bytes of little-endian elements. */
export interface FixedTensor {
  readonly datatype: FixedDatatype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}
/** A tensor of texts. ONNX strings are Unicode, so dialects refuse bytes that are not UTF-8. */
export interface BytesTensor {
  readonly datatype: 'BYTES';
  readonly shape: readonly number[];
  readonly data: readonly string[];
}
export type Tensor = FixedTensor | BytesTensor;

/** One input or output of a model. Free dimensions are -1. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** The shape in the file, which clients are told, if model.json says another. */
  readonly fileShape?: readonly number[];
  /** The shape that clients of the tensor API send or get, if it is another one; free dimensions are in the same order. */
  readonly clientShape?: readonly number[];
  /** Sizes of a usual row, 1 along the batch axis: made-up rows have them first. */
  readonly exampleShape?: readonly number[];
  /** The file does not say how many dimensions there are: `shape` is empty, and any number is accepted. */
  readonly anyRank?: boolean;
  /** The axis along which rows of different requests are stacked; null: the whole run shares the tensor. */
  readonly batchAxis: number | null;
}

/** The inputs and outputs of a model's graph. Tensors are passed as arrays in the order of these lists. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** False: one request a run, whatever its shape. */
  readonly batchable: boolean;
  /** Which outputs are not served because they are not tensors, and what to do about it. */
  readonly leftOut?: string;
  /** Patterns of axes that may be 0 together (`emptyPattern`), which the graph survived in the trial; absent: none. */
  readonly empties?: readonly string[];
}

export type TypedArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/** The elements of a fixed-size tensor as a typed array: a view if the bytes are aligned, else a copy. FP16 and BF16 give their bits. */
export function typedView(tensor: FixedTensor): TypedArray {
  const { bytes, array } = FIXED_DATATYPES[tensor.datatype];
  const { data } = tensor;
  if (data.byteOffset % bytes === 0)
    return new array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / bytes);
  const copy = data.slice();
  return new array(copy.buffer, 0, copy.byteLength / bytes);
}

/** A tensor over a typed array's own memory. */
export function fromTypedArray(datatype: FixedDatatype, shape: readonly number[], values: TypedArray): FixedTensor {
  return { datatype, shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** A float32 tensor over the array's own memory. */
export function float32(shape: readonly number[], values: Float32Array): FixedTensor {
  return fromTypedArray('FP32', shape, values);
}

/** The signature of the same model when it runs one request at a time: no tensor has a batch axis. */
export function oneByOne(signature: Signature): Signature {
  const { inputs, outputs } = signature;
  const alone = (spec: TensorSpec): TensorSpec => ({ ...spec, batchAxis: null });
  return { ...signature, inputs: inputs.map(alone), outputs: outputs.map(alone), batchable: false };
}
