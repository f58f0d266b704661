import type { Signature } from '../tensors/tensor.ts';
import type { DimensionNames } from '../onnx/dimension-names.ts';
import { INTEGER_CHOICES, type IntegerChoice } from './made-up-rows.ts';

/** Sizes to try a model's free dimensions with. */

/** One way to make rows up. */
export interface Attempt {
  readonly shapes: readonly (readonly number[])[];
  readonly integers: IntegerChoice;
  /** The size that the dimensions are made of. */
  readonly base: number;
}

/**
 * 1 comes last: with one time step an output that counts steps looks like one that counts rows. Multiples of 8 suit graphs that halve images
 * several times.
 */
const BASES = [8, 16, 32, 3, 64, 128, 256, 512, 1];

/** Sizes of a row as model.json says that they usually are, free dimensions of other inputs `size`; undefined where it does not say. */
export function usualShapes(inputs: Signature['inputs'], size: number): readonly (readonly number[])[] | undefined {
  if (!inputs.some(({ exampleShape }) => exampleShape !== undefined)) return undefined;
  return inputs.map(
    ({ shape, batchAxis, exampleShape }) =>
      exampleShape ?? shape.map((own, axis) => (axis === batchAxis ? 1 : own === -1 ? size : own)),
  );
}

/**
 * Ways to make up rows, the usual sizes first, then the most telling ones. Free dimensions with different names get different sizes, in case an output has one in place of
 * another; then all get the same size.
 */
export function* attempts({ inputs }: Signature, names: DimensionNames): Generator<Attempt> {
  const symbols = freeSymbols(inputs, names);
  const isOpen = inputs.some(({ datatype }) => datatype.startsWith('INT') || datatype.startsWith('UINT'));
  const choices = isOpen ? INTEGER_CHOICES : INTEGER_CHOICES.slice(0, 1);
  const usual = usualShapes(inputs, BASES[0] ?? 1);
  if (usual !== undefined) for (const integers of choices) yield { shapes: usual, integers, base: 0 };
  for (const base of symbols.size === 0 ? [1] : BASES)
    for (const distinct of symbols.size > 1 ? [true, false] : [false]) {
      const sizes = new Map(Array.from(symbols, (name, index) => [name, distinct ? base * (index + 1) : base]));
      const shapes = inputs.map(({ shape, batchAxis }, index) =>
        shape.map((size, axis) => {
          if (axis === batchAxis) return 1;
          return size === -1 ? sum(dimensionParts(names, index, axis), sizes) : size;
        }),
      );
      for (const integers of choices) yield { shapes, integers, base };
    }
}

/** The names that the sizes of free dimensions are made of. */
function freeSymbols(inputs: Signature['inputs'], names: DimensionNames): ReadonlySet<string> {
  const symbols = new Set<string>();
  for (const [index, { shape, batchAxis }] of inputs.entries())
    for (const [axis, size] of shape.entries())
      if (size === -1 && axis !== batchAxis)
        for (const part of dimensionParts(names, index, axis)) if (Number.isNaN(Number(part))) symbols.add(part);
  return symbols;
}

/** Unnamed dimensions of the same axis count as one in all inputs: inputs that belong together mostly have one shape. */
function symbolOf(names: DimensionNames, input: number, axis: number): string {
  const name = names[input]?.[axis] ?? '';
  return name === '' ? `axis ${axis}` : name;
}

/** The names of which a dimension is the sum: `past_sequence_length + 1` has two, other formulas are names of their own. */
export function dimensionParts(names: DimensionNames, input: number, axis: number): string[] {
  const name = symbolOf(names, input, axis);
  return /^[\w.]+( ?\+ ?[\w.]+)+$/.test(name) ? name.split('+').map((part) => part.trim()) : [name];
}

function sum(names: readonly string[], sizes: ReadonlyMap<string, number>): number {
  return names.reduce((total, name) => total + (sizes.get(name) ?? Number(name)), 0);
}
