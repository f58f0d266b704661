import {
  elementCount,
  FIXED_DATATYPES,
  fromTypedArray,
  typedView,
  type Datatype,
  type Signature,
  type Tensor,
  type TensorSpec,
  type TypedArray,
} from '../../tensors/tensor.ts';
import { tensorOf } from '../tensors/elements.ts';
import { messageOf } from '../../errors.ts';

/** Tensors in the form that a user's module gives and gets. */

/** What `prepare` may return for an input: elements with their shape. The datatype is the model's unless it is named. */
export interface CustomInput {
  /** A typed array of the datatype (Float32Array for FP32, BigInt64Array for INT64, Uint8Array for BOOL, ...), or plain numbers or texts. */
  readonly data: ArrayLike<unknown>;
  readonly shape: readonly number[];
  readonly datatype?: Datatype;
}

/** What `finish` gets for an output, and `cost` for an input: a typed array of the datatype (bits for FP16 and BF16), or texts. */
export interface CustomValue {
  readonly data: TypedArray | readonly string[];
  readonly shape: readonly number[];
  readonly datatype: Datatype;
}

/** Inputs of a user's `prepare`, checked against the signature and copied. Throws a plain Error that names the input and what is wrong. */
export function customInputs(signature: Signature, inputs: unknown): Record<string, Tensor> {
  if (typeof inputs !== 'object' || inputs === null) throw new Error('prepare must return an object with `inputs`');
  const given = new Map<string, unknown>(Object.entries(inputs));
  const tensors = signature.inputs.map((spec): [string, Tensor] => {
    try {
      return [spec.name, customTensor(spec, given.get(spec.name), signature.batchable)];
    } catch (error) {
      throw new Error(`prepare: input ${spec.name}: ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      given.delete(spec.name);
    }
  });
  if (given.size > 0) throw new Error(`prepare: the model has no input ${[...given.keys()].join(', ')}`);
  return Object.fromEntries(tensors);
}

/** Tensors as typed arrays with their shapes, by name. */
export function customValues(tensors: Readonly<Record<string, Tensor>>): Record<string, CustomValue> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [
      name,
      tensor.datatype === 'BYTES' ? tensor : { ...tensor, data: typedView(tensor) },
    ]),
  );
}

function customTensor(spec: TensorSpec, value: unknown, batchable: boolean): Tensor {
  if (!isInput(value)) throw new Error('must be { data, shape }, with no dimension of 0');
  const { data, shape, datatype = spec.datatype } = value;
  if (datatype !== spec.datatype) throw new Error(`is ${datatype} where the model takes ${spec.datatype}`);
  const axis = batchable ? spec.batchAxis : null;
  const wanted = axis === null ? spec.shape : spec.shape.with(axis, 1);
  const fits = shape.length === wanted.length && wanted.every((size, at) => size === -1 || size === shape[at]);
  if (!fits) throw new Error(`has shape [${shape.join(', ')}] where one item has [${wanted.join(', ')}] (-1: any)`);
  const own = rawBytes(value);
  if (own !== undefined) return own;
  if (data.length !== elementCount(shape))
    throw new Error(`has ${data.length} elements where shape [${shape.join(', ')}] has ${elementCount(shape)}`);
  return ArrayBuffer.isView(data)
    ? ofTypedArray(datatype, shape, data)
    : tensorOf(datatype, [...shape], Array.from(data));
}

function ofTypedArray(datatype: Datatype, shape: readonly number[], data: ArrayBufferView): Tensor {
  const array = datatype === 'BYTES' ? undefined : FIXED_DATATYPES[datatype].array;
  if (datatype === 'BYTES' || array === undefined || !(data instanceof array))
    throw new Error(`has a ${data.constructor.name} where ${datatype} takes ${array?.name ?? 'an array of texts'}`);
  // A copy, because a run gives its buffers away, and the module may keep its own.
  return fromTypedArray(datatype, [...shape], data.slice());
}

function isInput(value: unknown): value is CustomInput {
  if (typeof value !== 'object' || value === null) return false;
  const { data, shape } = value as Partial<Record<'data' | 'shape', unknown>>;
  const isArray = Array.isArray(data) || (ArrayBuffer.isView(data) && !(data instanceof DataView));
  return isArray && Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size > 0);
}

/** A tensor given in the server's own form: little-endian bytes with a datatype of wider elements. */
function rawBytes({ data, shape, datatype }: CustomInput): Tensor | undefined {
  if (datatype === undefined || datatype === 'BYTES' || !(data instanceof Uint8Array)) return undefined;
  const { bytes } = FIXED_DATATYPES[datatype];
  if (bytes === 1) return undefined;
  if (data.byteLength !== bytes * elementCount(shape))
    throw new Error(`has ${data.byteLength} bytes where ${datatype} of shape [${shape.join(', ')}] has another number`);
  return { datatype, shape: [...shape], data: data.slice() };
}
