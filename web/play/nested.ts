/** Nested arrays of numbers, as the native API gives tensors. */

/** Lengths of the axes, judged by the first element of each; [] of a scalar. */
export function shapeOf(value: unknown): number[] {
  const shape: number[] = [];
  let inner = value;
  while (Array.isArray(inner)) {
    shape.push(inner.length);
    inner = (inner as readonly unknown[])[0];
  }
  return shape;
}

/** The elements as numbers: `null` (NaN and infinities) is NaN, long integers come as text. */
export function flatten(value: unknown): number[] {
  if (!Array.isArray(value)) return [toNumber(value)];
  return (value as readonly unknown[]).flatMap(flatten);
}

function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'string' && value !== '' ? Number(value) : Number.NaN;
}

/** Nests a flat list; the product of `shape` is its length. */
export function nest(flat: readonly number[], shape: readonly number[]): unknown {
  const [length, ...inner] = shape;
  if (length === undefined) return flat[0];
  const size = inner.reduce((product, one) => product * one, 1);
  return Array.from({ length }, (_, index) => nest(flat.slice(index * size, (index + 1) * size), inner));
}

export interface Ranked {
  readonly index: number;
  readonly value: number;
}

/** The greatest, best first. */
export function topOf(values: readonly number[], count: number): Ranked[] {
  return values
    .map((value, index) => ({ value, index }))
    .filter(({ value }) => !Number.isNaN(value))
    .sort((one, other) => other.value - one.value)
    .slice(0, count);
}

export function argmax(values: readonly number[]): number {
  return topOf(values, 1)[0]?.index ?? 0;
}

/**
 * Reads rows of scores as connectionist temporal classification writes a text (Graves et al. 2006): the likeliest class of each row, repetitions joined, the
 * blank (class 0) left out. Class n is label n - 1; one class more than that is a space. Undefined where the numbers of classes do not fit.
 */
export function ctcText(rows: readonly (readonly number[])[], labels: readonly string[]): string | undefined {
  const classes = rows[0]?.length ?? 0;
  if (labels.length < 2 || (classes !== labels.length + 1 && classes !== labels.length + 2)) return undefined;
  let text = '';
  let last = 0;
  for (const row of rows) {
    const best = argmax(row);
    if (best !== last && best !== 0) text += labels[best - 1] ?? ' ';
    last = best;
  }
  return text;
}
