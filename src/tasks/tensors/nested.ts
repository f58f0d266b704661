import { elementCount } from '../../tensors/tensor.ts';

/** Nested arrays of JSON to flat values with a shape, and back. */

/** How deep arrays are nested, judged by their first elements; 0 for a value that is not an array. */
export function depthOf(value: unknown): number {
  let depth = 0;
  for (let first = value; Array.isArray(first); first = (first as unknown[])[0]) depth += 1;
  return depth;
}

/** Nested arrays as a flat, row-major list. A value that is not an array has shape []. */
export interface Flat {
  readonly shape: readonly number[];
  readonly values: readonly unknown[];
}

/**
 * Flattens nested arrays. The first elements give the shape, which ends at the first empty array. Throws a plain Error if arrays are ragged.
 * It is recursive, so the caller must bound the depth.
 */
export function flatten(value: unknown): Flat {
  const shape: number[] = [];
  for (let first = value; Array.isArray(first); first = (first as unknown[])[0]) {
    shape.push(first.length);
  }
  const values: unknown[] = [];
  collect(value, shape, { depth: 0, values });
  return { shape, values };
}

function collect(
  value: unknown,
  shape: readonly number[],
  { depth, values }: { depth: number; values: unknown[] },
): void {
  const size = shape[depth];
  if (size === undefined) {
    if (Array.isArray(value)) throw new Error('the array is ragged: some elements are arrays and some are not');
    values.push(value);
    return;
  }
  if (!Array.isArray(value) || value.length !== size) throw new Error('the array is ragged: its rows differ in length');
  for (const child of value as unknown[]) collect(child, shape, { depth: depth + 1, values });
}

/** Row-major values as arrays nested by the shape; for shape [] the single value. */
export function nest(values: readonly unknown[], shape: readonly number[]): unknown {
  if (shape.length === 0) return values[0];
  let level: readonly unknown[] = values;
  for (let axis = shape.length - 1; axis > 0; axis -= 1) {
    const size = shape[axis] ?? 0;
    const rows = level;
    level = Array.from({ length: elementCount(shape.slice(0, axis)) }, (_, at) =>
      rows.slice(at * size, (at + 1) * size),
    );
  }
  return level;
}
