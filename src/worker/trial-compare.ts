import type { Tensor } from '../tensor.ts';
import { numbersOf } from './trial-rows.ts';

/**
 * How far a row's answer in a batch may lie from its answer alone, as a share of the largest number of the answer. A batch of another size
 * may be multiplied in another order, which moves the last bits; who the neighbours are moves nothing at all in a model whose rows are
 * independent.
 */
export const TOLERANCE = {
  /** Alone against in a batch. */
  size: 1e-5,
  /** In batches of one size with other neighbours. */
  company: 1e-7,
  /** Alone against in a batch, where the graph computes in float16: its last bit is a thousandth. */
  sizeOfHalf: 4e-3,
} as const;

/** Whether two answers to one row are the same, to within `tolerance` of the largest finite number of the first. Whole numbers and texts are equal. */
export function alike(expected: Tensor, actual: Tensor | undefined, tolerance: number): boolean {
  if (actual === undefined || actual.datatype !== expected.datatype) return false;
  if (expected.shape.length !== actual.shape.length) return false;
  if (expected.shape.some((size, axis) => size !== actual.shape[axis])) return false;
  if (expected.datatype === 'BYTES' || actual.datatype === 'BYTES')
    return JSON.stringify(expected.data) === JSON.stringify(actual.data);
  if (Buffer.compare(expected.data, actual.data) === 0) return true;
  if (!/^(FP|BF)/.test(expected.datatype)) return false;
  const [wanted, found] = [numbersOf(expected), numbersOf(actual)];
  let largest = 0;
  for (const value of wanted) if (Number.isFinite(Number(value))) largest = Math.max(largest, Math.abs(Number(value)));
  const most = tolerance * largest;
  for (let index = 0; index < wanted.length; index += 1) {
    const [one, other] = [Number(wanted[index]), Number(found[index])];
    if (!Object.is(one, other) && !(Math.abs(one - other) <= most) && one !== other) return false;
  }
  return true;
}
