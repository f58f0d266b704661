import { float16Bits, widenHalf } from '../half-float.ts';
import {
  elementCount,
  FIXED_DATATYPES,
  fromTypedArray,
  typedView,
  type FixedTensor,
  type Signature,
  type Tensor,
  type TypedArray,
} from '../tensor.ts';

/** Rows to try a model with: made up, and changed so that another answer is to be expected. */

/** A made-up row: batch axes 1, other free dimensions `size`, values small, positive and not all equal. */
export function makeRow(signature: Signature, size: number): Tensor[] {
  return signature.inputs.map(({ datatype, shape, batchAxis }) => {
    const dimensions = shape.map((dimension, axis) => (axis === batchAxis ? 1 : dimension === -1 ? size : dimension));
    const count = elementCount(dimensions);
    if (datatype === 'BYTES') return { datatype, shape: dimensions, data: Array.from({ length: count }, () => 'a') };
    const values = new FIXED_DATATYPES[datatype].array(count);
    for (let index = 0; index < count; index += 1) {
      // Never 0 in a row's first element: a single 0 tells nothing, whatever is done to it.
      const fraction = (((index + 1) * 37) % 101) / 101;
      if (values instanceof BigInt64Array || values instanceof BigUint64Array) values[index] = BigInt(index % 2);
      else if (datatype === 'FP32' || datatype === 'FP64') values[index] = fraction;
      else values[index] = datatype === 'FP16' ? float16Bits(fraction) : index % 2;
    }
    return fromTypedArray(datatype, dimensions, values);
  });
}

/**
 * A second row of the same shapes whose answer should differ: floats scaled, other values in reverse order. Inputs that belong to
 * the whole run stay as they are, because rows of one batch have them in common.
 */
export function changedRow({ inputs }: Signature, row: readonly Tensor[]): Tensor[] {
  return row.map((tensor, index) => {
    if (inputs[index]?.batchAxis === null) return tensor;
    if (tensor.datatype === 'BYTES') return { ...tensor, data: tensor.data.toReversed() };
    const values = typedView(tensor).slice();
    if (values instanceof Float32Array || values instanceof Float64Array)
      for (let at = 0; at < values.length; at += 1) values[at] = (values[at] ?? 0) * 0.75;
    else if (tensor.datatype === 'FP16')
      for (const [at, value] of numbersOf(tensor).entries()) values[at] = float16Bits(Number(value) * 0.75);
    else if (isPalindrome(values)) step(values);
    else values.reverse();
    return fromTypedArray(tensor.datatype, tensor.shape, values);
  });
}

/** The elements as numbers: half floats by their value, not by their bits. */
export function numbersOf(tensor: FixedTensor): TypedArray {
  return typedView(tensor.datatype === 'FP16' || tensor.datatype === 'BF16' ? widenHalf(tensor) : tensor);
}

function isPalindrome(values: TypedArray): boolean {
  return values.every((value, index) => value === values.at(-1 - index));
}

/** The first element one down, or up from 0: a neighbour is as likely to be valid as the value itself. */
function step(values: TypedArray): void {
  const [first = 0] = values;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array)
    values[0] = BigInt(first) > 0n ? BigInt(first) - 1n : 1n;
  else values[0] = Number(first) > 0 ? Number(first) - 1 : 1;
}
