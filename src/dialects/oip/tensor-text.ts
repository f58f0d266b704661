import { typedView, type FixedTensor, type Tensor, type TypedArray } from '../../tensors/tensor.ts';
import { widenHalf } from '../../tensors/half-float.ts';
import { float64Text } from '../../tensors/float-text.ts';
import { float32ListText } from '../../tensors/float-writer.ts';

/** Elements per piece: bounds the length of strings that a large tensor needs. */
const PIECE_ELEMENTS = 1024;

/**
 * The elements of a tensor as a flat JSON array, in pieces of bounded size: float32 in its shortest form, 64-bit integers
 * with all their digits, BOOL as true and false, NaN and infinities as null. FP16 and BF16, which the protocol knows in
 * binary only, are written as numbers.
 */
export function* tensorPieces(tensor: Tensor): Generator<string> {
  yield '[';
  if (tensor.datatype === 'BYTES') {
    for (const [index, text] of tensor.data.entries()) yield (index === 0 ? '' : ',') + JSON.stringify(text);
  } else {
    yield* numberPieces(tensor);
  }
  yield ']';
}

function* numberPieces(tensor: FixedTensor): Generator<string> {
  const values = typedView(tensor.datatype === 'FP16' || tensor.datatype === 'BF16' ? widenHalf(tensor) : tensor);
  for (let start = 0; start < values.length; start += PIECE_ELEMENTS) {
    const text = elementsText(values.subarray(start, start + PIECE_ELEMENTS), tensor.datatype === 'BOOL');
    yield start === 0 ? text : `,${text}`;
  }
}

function elementsText(values: TypedArray, isBool: boolean): string {
  if (values instanceof Float32Array) return float32ListText(values);
  if (values instanceof Float64Array) return Array.from(values, float64Text).join(',');
  if (isBool) return Array.from(values as Uint8Array, (value) => (value === 0 ? 'false' : 'true')).join(',');
  return values.join(',');
}
