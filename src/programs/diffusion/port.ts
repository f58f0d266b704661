import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { float16Bits, widenHalf } from '../../tensors/half-float.ts';
import { fromTypedArray, typedView, type Datatype, type TypedArray } from '../../tensors/tensor.ts';
import { datatypeOf, fromOrt, toOrt } from '../../onnx/ort-tensor.ts';

/** An input of a graph. Exports differ in element types (float32 or float16, int32 or int64) and in which dimensions are free. */
export interface Port {
  readonly name: string;
  readonly datatype: Datatype;
  /** Free dimensions are -1. */
  readonly shape: readonly number[];
}

/** The inputs of a graph by name. */
export function portsOf(session: InferenceSession): ReadonlyMap<string, Port> {
  return new Map(
    session.inputMetadata.map((metadata) => {
      if (!metadata.isTensor) throw new Error(`${metadata.name} is not a tensor`);
      const shape = metadata.shape.map((dimension) =>
        typeof dimension === 'number' && dimension >= 0 ? dimension : -1,
      );
      return [metadata.name, { name: metadata.name, datatype: datatypeOf(metadata.type), shape }];
    }),
  );
}

/**
 * The inputs of `names`, in that order. Throws a plain Error when `graph` lacks one, or has one that neither `names` nor `optional`
 * holds: it would be run without it.
 */
export function choosePorts(
  graph: string,
  ports: ReadonlyMap<string, Port>,
  { names, optional = [] }: { names: readonly string[]; optional?: readonly string[] },
): Port[] {
  const unknown = [...ports.keys()].filter((name) => !names.includes(name) && !optional.includes(name));
  if (unknown.length > 0) throw new Error(`${graph}: inputs ${unknown.join(', ')} are not supported`);
  return names.map((name) => {
    const port = ports.get(name);
    if (port === undefined)
      throw new Error(`${graph}: there is no input ${name}; it has ${[...ports.keys()].join(', ')}`);
    return port;
  });
}

/** Numbers as a tensor of the port's element type. Integer types drop fractions. Throws a plain Error on a type that holds no numbers. */
export function feed({ name, datatype }: Port, shape: readonly number[], values: ArrayLike<number>): OrtTensor {
  return toOrt(fromTypedArray(checked(name, datatype), shape, elements(name, datatype, values)));
}

const FEEDABLE = ['FP32', 'FP16', 'FP64', 'INT32', 'INT64'] as const;
type Feedable = (typeof FEEDABLE)[number];

function checked(name: string, datatype: Datatype): Feedable {
  const found = FEEDABLE.find((known) => known === datatype);
  if (found === undefined) throw new Error(`input ${name} takes ${datatype}, which is not supported`);
  return found;
}

function elements(name: string, datatype: Datatype, values: ArrayLike<number>): TypedArray {
  switch (checked(name, datatype)) {
    case 'FP32':
      return values instanceof Float32Array ? values : Float32Array.from(values);
    case 'FP16':
      return Uint16Array.from(values, float16Bits);
    case 'FP64':
      return Float64Array.from(values);
    case 'INT32':
      return Int32Array.from(values, Math.trunc);
    case 'INT64':
      return BigInt64Array.from({ length: values.length }, (_, at) => BigInt(Math.trunc(values[at] ?? 0)));
  }
}

/** An output's numbers as float32. Throws a plain Error when it is not a float tensor. */
export function floatsOf(output: OrtTensor | undefined): {
  readonly shape: readonly number[];
  readonly values: Float32Array;
} {
  if (output === undefined) throw new Error('an output is missing');
  const tensor = fromOrt(output);
  const wide = tensor.datatype === 'FP16' ? widenHalf(tensor) : tensor;
  const values = wide.datatype === 'FP32' ? typedView(wide) : undefined;
  if (!(values instanceof Float32Array)) throw new Error(`an output is ${tensor.datatype}, not float32 or float16`);
  return { shape: tensor.shape, values };
}

/** Rows of equal length one after the other. */
export function joined(rows: readonly Float32Array[]): Float32Array {
  const [first] = rows;
  if (first === undefined) throw new Error('nothing to join');
  if (rows.length === 1) return first;
  const all = new Float32Array(first.length * rows.length);
  for (const [index, row] of rows.entries()) all.set(row, index * first.length);
  return all;
}

/** The rows of `joined`: views of its memory. */
export function parted(values: Float32Array, rows: number): Float32Array[] {
  const length = values.length / rows;
  return Array.from({ length: rows }, (_, row) => values.subarray(row * length, (row + 1) * length));
}
