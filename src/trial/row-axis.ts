import type { TensorSpec } from '../tensors/tensor.ts';

/** Which axis of an output counts the rows of a batch: told by its shapes, and not against the names that the file gives. */

/** Shapes of one output: of every row alone, and of batches of some sizes. */
export interface ShapesSeen {
  readonly alone: readonly (readonly number[])[];
  readonly together: readonly { readonly rows: number; readonly shape: readonly number[] }[];
}

/** The axis that is 1 for every row and counts the rows of every batch; null: the size never changes; a text: why there is none. */
export function rowAxis(
  { name, batchAxis }: Pick<TensorSpec, 'name' | 'batchAxis'>,
  seen: ShapesSeen,
): number | null | string {
  const [first = []] = seen.alone;
  if (seen.alone.some((shape) => !isSame(shape, first)))
    return `the size of output ${name} depends on what a row holds`;
  if (seen.together.every(({ shape }) => isSame(shape, first)) && batchAxis === null) return null;
  const axes = first.flatMap((size, axis) => {
    const counts = seen.together.every(({ rows, shape }) => isSame(shape, first.with(axis, rows)));
    return size === 1 && counts ? [axis] : [];
  });
  const [axis] = batchAxis === null ? axes : axes.filter((at) => at === batchAxis);
  if (axis !== undefined && axes.length === 1) return axis;
  const { rows, shape } = seen.together.find((batch) => !isSame(batch.shape, first)) ?? { rows: 1, shape: first };
  return `output ${name} is [${shape.join(', ')}] for ${rows} rows and [${first.join(', ')}] for one`;
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((size, axis) => size === other[axis]);
}
