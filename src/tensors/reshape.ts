import { elementCount } from './tensor.ts';

/** Shapes that mean the same elements in other dimensions: the n-th free dimension (-1) of one is the n-th of the other. */

/** Whether every tensor of one shape is one of the other: as many free dimensions, and as many elements in the fixed ones. */
export function isReshape(one: readonly number[], other: readonly number[]): boolean {
  const free = (shape: readonly number[]): number => shape.filter((size) => size === -1).length;
  const fixed = (shape: readonly number[]): number => elementCount(shape.filter((size) => size !== -1));
  return free(one) === free(other) && fixed(one) === fixed(other);
}

/** A tensor's sizes, which are of the shape `from`, in the shape `to`; as they are where they are not of that shape. */
export function reshaped(sizes: readonly number[], from: readonly number[], to: readonly number[]): readonly number[] {
  if (sizes.length !== from.length) return sizes;
  const free = sizes.filter((_, axis) => from[axis] === -1);
  const shape = to.map((size) => (size === -1 ? (free.shift() ?? 1) : size));
  return elementCount(shape) === elementCount(sizes) ? shape : sizes;
}
