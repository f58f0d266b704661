import type { Tensor, TypedArray } from '../tensors/tensor.ts';
import { numbersOf } from './made-up-rows.ts';

/**
 * The largest difference between two answers to one row that counts as none, as a share of the answer's largest number. The order of
 * multiplication depends on the size of a batch, which changes the last bits. Which rows share the batch changes nothing in a model whose rows
 * are independent.
 */
export const TOLERANCE = {
  /** Between a row alone and in a batch. */
  size: 1e-5,
  /** Between batches of one size whose other rows differ. */
  company: 1e-7,
  /** Between a row alone and in a batch where the graph computes in float16, whose last bit is a thousandth. */
  sizeOfHalf: 4e-3,
} as const;

/** Whether two answers to one row are the same, to within `tolerance`, as `distance` counts. */
export function alike(expected: Tensor, actual: Tensor | undefined, tolerance: number): boolean {
  return distance(expected, actual) <= tolerance;
}

/**
 * The difference between two answers to one row, as a share of the first one's largest finite number; 0 for equal ones. Infinity where whole
 * numbers, texts or shapes differ, or where one has NaN and the other a number.
 */
export function distance(expected: Tensor, actual: Tensor | undefined): number {
  if (actual === undefined || actual.datatype !== expected.datatype) return Infinity;
  if (expected.shape.length !== actual.shape.length) return Infinity;
  if (expected.shape.some((size, axis) => size !== actual.shape[axis])) return Infinity;
  if (expected.datatype === 'BYTES' || actual.datatype === 'BYTES')
    return JSON.stringify(expected.data) === JSON.stringify(actual.data) ? 0 : Infinity;
  if (Buffer.compare(expected.data, actual.data) === 0) return 0;
  if (!/^(FP|BF)/.test(expected.datatype)) return Infinity;
  return apart(numbersOf(expected), numbersOf(actual));
}

function apart(wanted: TypedArray, found: TypedArray): number {
  let largest = 0;
  let most = 0;
  for (let index = 0; index < wanted.length; index += 1) {
    const [one, other] = [Number(wanted[index]), Number(found[index])];
    if (Number.isFinite(one)) largest = Math.max(largest, Math.abs(one));
    if (Object.is(one, other) || one === other) continue;
    const difference = Math.abs(one - other);
    most = Number.isNaN(difference) ? Infinity : Math.max(most, difference);
  }
  return most === 0 ? 0 : most / largest;
}
