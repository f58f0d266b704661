import { messageOf, ServerError } from '../../errors.ts';
import { float32, type Tensor, type TensorSpec } from '../../tensors/tensor.ts';
import { NullElement, tensorOf } from './elements.ts';
import { depthOf, flatten } from './nested.ts';

/** Nested arrays of JSON as the input of a graph. */

/** For an input of any number of dimensions: more than any operator takes. */
export const MOST_DIMENSIONS = 32;

/** What is asked of an item: the shape of the input, for a model that batches without the batch axis. */
export function rowShape({ shape, batchAxis }: TensorSpec, batchable: boolean): readonly number[] {
  return batchable && batchAxis !== null ? shape.toSpliced(batchAxis, 1) : shape;
}

/**
 * The tensor of an item's nested arrays for an input. Throws BAD_REQUEST for null in place of a number, INVALID_INPUT for other values that do not
 * fit.
 */
export function inputTensor(spec: TensorSpec, value: unknown, batchable: boolean): Tensor {
  try {
    return tensorFor(spec, value, batchable);
  } catch (error) {
    const code = error instanceof NullElement ? 'BAD_REQUEST' : 'INVALID_INPUT';
    throw new ServerError(code, `Input ${spec.name}: ${messageOf(error)}.`);
  }
}

function tensorFor(spec: TensorSpec, value: unknown, batchable: boolean): Tensor {
  if (spec.anyRank === true) {
    if (depthOf(value) > MOST_DIMENSIONS) throw new Error(`must be nested ${MOST_DIMENSIONS} deep at most`);
    const { shape, values } = flatten(value);
    return tensorOf(spec.datatype, shape, values);
  }
  const axis = batchable ? spec.batchAxis : null;
  const wanted = rowShape(spec, batchable);
  if (value instanceof Float32Array) return float32(axis === null ? wanted : wanted.toSpliced(axis, 0, 1), value);
  const depth = depthOf(value);
  if (depth > wanted.length) {
    const hint = axis === null ? '' : '; an item is one row, and several go into "items" of the request';
    throw new Error(`must be ${shapeText(wanted)}, not nested ${depth} deep${hint}`);
  }
  const { shape: given, values } = flatten(value);
  const shape = wholeShape(given, wanted, axis === null);
  const fits = shape.length === wanted.length && wanted.every((size, at) => size === -1 || size === shape[at]);
  if (!fits) throw new Error(`must be ${shapeText(wanted)}, not ${shapeText(given)}`);
  return tensorOf(spec.datatype, axis === null ? shape : shape.toSpliced(axis, 0, 1), values);
}

/**
 * The full shape of nested arrays. The model's shape says what an empty array would hold; a row of a model that does not batch may leave
 * out a first axis of 1, as if the model did batch; and a single element needs no array.
 */
function wholeShape(given: readonly number[], wanted: readonly number[], isWhole: boolean): readonly number[] {
  if (given.at(-1) === 0 && given.length < wanted.length)
    return [...given, ...wanted.slice(given.length).map((size) => Math.max(0, size))];
  // scikit-learn's exports have an input for each column of a table, which holds one value a row.
  const isOne = given.length === 0 && wanted.every((size, at) => size === 1 || (isWhole && at === 0 && size === -1));
  if (isOne) return wanted.map(() => 1);
  const isRow = isWhole && given.length === wanted.length - 1 && (wanted[0] === 1 || wanted[0] === -1);
  return isRow ? [1, ...given] : given;
}

function shapeText(shape: readonly number[]): string {
  if (shape.length === 0) return 'a single value';
  return `an array of shape [${shape.map((size) => (size === -1 ? 'any' : size)).join(', ')}]`;
}
