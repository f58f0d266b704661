import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import { mersenne } from 'pure-rand/generator/mersenne';
import { float16Bits, widenHalf } from '../tensors/half-float.ts';
import { split, stack } from '../tensors/rows.ts';
import {
  elementCount,
  FIXED_DATATYPES,
  fromTypedArray,
  typedView,
  type Datatype,
  type FixedDatatype,
  type FixedTensor,
  type Signature,
  type Tensor,
  type TensorSpec,
  type TypedArray,
} from '../tensors/tensor.ts';
import type { InputRange } from '../onnx/ranges.ts';

/** Rows to try a model with, made up or changed from a true one, so that their answers should differ. */

/** Kinds of contents, by number: random, a hundred times as large, positive, zeros, ones, small, negative, large. */
export const CONTENTS = 8;

/** Ways to choose whole numbers where the graph says nothing about them: few models accept all of these. */
export const INTEGER_CHOICES = ['small', 'bits', 'ones'] as const;
export type IntegerChoice = (typeof INTEGER_CHOICES)[number];

/** What is known of a model's inputs beyond their signature. */
export interface RowFacts {
  readonly ranges: ReadonlyMap<string, InputRange>;
  /** Texts that the graph's encoders know. */
  readonly texts: readonly string[];
}

export interface MadeUp {
  /** Sizes of the inputs' dimensions, in signature order; 1 along the batch axis. */
  readonly shapes: readonly (readonly number[])[];
  readonly integers: IntegerChoice;
  readonly facts: RowFacts;
}

const NOTHING_KNOWN: RowFacts = { ranges: new Map(), texts: [] };
const TEXTS = ['1', '2.5', 'a', 'b c', 'Hello world', 'x'];

/** A made-up row of these shapes, or with batch axes of 1 and other free dimensions of one size. */
export function makeRow(signature: Signature, sizes: number | MadeUp['shapes']): Tensor[] {
  const shapes =
    typeof sizes !== 'number'
      ? sizes
      : signature.inputs.map(({ shape, batchAxis }) =>
          shape.map((dimension, axis) => (axis === batchAxis ? 1 : dimension === -1 ? sizes : dimension)),
        );
  return madeUpRow(signature, { shapes, integers: 'ones', facts: NOTHING_KNOWN }, 2);
}

/** A made-up row of contents number `kind`. Inputs that all rows of a run share are the same whatever the kind. */
export function madeUpRow({ inputs }: Signature, { shapes, integers, facts }: MadeUp, kind: number): Tensor[] {
  return inputs.map((spec, index) => {
    const shape = shapes[index] ?? [];
    const own = spec.batchAxis === null ? 4 : kind;
    const count = elementCount(shape);
    const random = randomNumbers(own * 101 + index * 7 + 1);
    if (spec.datatype === 'BYTES') {
      const texts = facts.texts.length > 1 ? facts.texts : TEXTS;
      return { datatype: 'BYTES', shape, data: Array.from({ length: count }, () => pick(texts, random())) };
    }
    const number = isNumber(spec, facts) ? floats(own, random) : wholes(spec, own, { random, integers, facts });
    return filled(spec.datatype, shape, number);
  });
}

/**
 * Contents number `kind` made from a true row: the row itself, scaled, in another order, and so on. Whole numbers and texts only change places,
 * because it is not known which others are valid. Inputs that belong to the whole run stay as they are.
 */
export function changedRow(
  { inputs }: Signature,
  { row, facts }: { row: readonly Tensor[]; facts: RowFacts },
  kind: number,
): Tensor[] {
  return row.map((tensor, index) => {
    if (inputs[index]?.batchAxis === null || kind === 0) return tensor;
    if (tensor.datatype === 'BYTES') return { ...tensor, data: rotated(tensor.data, kind) };
    const numbers = numbersOf(tensor);
    const spec = inputs[index];
    if (spec === undefined || !isNumber(spec, facts)) {
      const values = rotated(Array.from<number | bigint>(numbers), kind);
      const divides = facts.ranges.get(inputs[index]?.name ?? '')?.divides === true;
      if (isConstant(values)) step(values, { kind, least: divides ? 1 : 0 });
      return filled(tensor.datatype, tensor.shape, (at) => values[at] ?? 0);
    }
    const random = randomNumbers(kind * 101 + index);
    const change = CHANGES[kind] ?? CHANGES[0];
    return filled(tensor.datatype, tensor.shape, (at) => change(Number(numbers[at] ?? 0), random));
  });
}

/**
 * The row with its free dimensions halved, or doubled where a size is odd, so that an output that grows with them is not taken to count
 * rows. Undefined where only the batch is free.
 */
export function resizedRow({ inputs }: Signature, row: readonly Tensor[]): Tensor[] | undefined {
  const free = inputs.map(({ shape, batchAxis }) =>
    batchAxis === null ? [] : shape.flatMap((size, axis) => (size === -1 && axis !== batchAxis ? [axis] : [])),
  );
  const sizes = free.flatMap((axes, index) => axes.map((axis) => row[index]?.shape[axis] ?? 0));
  if (sizes.length === 0) return undefined;
  const halves = sizes.every((size) => size > 0 && size % 2 === 0);
  return row.map((tensor, index) => {
    let changed = tensor;
    for (const axis of free[index] ?? []) {
      const half = (tensor.shape[axis] ?? 0) / 2;
      changed = halves ? (split(changed, axis, [half, half])[0] ?? changed) : stack([changed, changed], axis);
    }
    return changed;
  });
}

/** By kind: what becomes of a float of a true row. */
const CHANGES: readonly [FloatChange, ...FloatChange[]] = [
  (value) => value,
  (value) => value * 100,
  (value, random) => value * (0.5 + random()),
  () => 0,
  () => 1,
  (value) => value * 1e-3,
  (value) => -value,
  (value, random) => value + random() - 0.5,
];
type FloatChange = (value: number, random: () => number) => number;

function floats(kind: number, random: () => number): () => number {
  const kinds: readonly (() => number)[] = [
    () => random() * 2 - 1,
    () => (random() * 2 - 1) * 100,
    random,
    () => 0,
    () => 1,
    () => (random() * 2 - 1) * 1e-3,
    () => -random() * 10,
    () => random() * 1000,
  ];
  return kinds[kind % CONTENTS] ?? random;
}

/**
 * Whole numbers that the model should accept: row numbers of a table where they are looked up in one, and no 0 where something is divided by
 * them, because that would end the whole process.
 */
function wholes(
  spec: TensorSpec,
  kind: number,
  { random, integers, facts }: { random: () => number; integers: IntegerChoice; facts: RowFacts },
): (index: number) => number {
  const isMask = /mask/i.test(spec.name);
  const range = facts.ranges.get(spec.name);
  const { least, most } = bounds(spec, range, isMask || integers === 'bits');
  if (kind === 4 || (integers === 'ones' && range?.limit === undefined)) return () => 1;
  if (kind === 3) return () => least;
  // A mask that hides everything is a special case.
  return (index) => (isMask && index === 0 ? 1 : least + Math.floor(random() * (most - least + 1)));
}

/** The largest whole number used where nothing is known. */
const SMALL = 3;
const MOST: Readonly<Partial<Record<Datatype, number>>> = { BOOL: 1, INT8: 127, UINT8: 255 };

function bounds(
  { datatype }: TensorSpec,
  { limit, divides = false }: Partial<InputRange> = {},
  isBit = false,
): { least: number; most: number } {
  const bit = isBit || datatype === 'BOOL';
  const least = (bit || limit !== undefined) && !divides ? 0 : 1;
  if (bit) return { least, most: 1 };
  // Bytes are mostly pixels.
  const open = datatype === 'UINT8' ? 256 : SMALL + 1;
  return { least, most: Math.max(1, Math.min((limit ?? open) - 1, MOST[datatype] ?? 32_767)) };
}

function filled(datatype: FixedDatatype, shape: readonly number[], number: (index: number) => number | bigint): Tensor {
  const values = new FIXED_DATATYPES[datatype].array(elementCount(shape));
  for (let index = 0; index < values.length; index += 1) {
    const value = number(index);
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) values[index] = BigInt(value);
    else values[index] = datatype === 'FP16' ? float16Bits(Number(value)) : Number(value);
  }
  return fromTypedArray(datatype, shape, values);
}

/** The elements as numbers: of half floats the values, not the bits. */
export function numbersOf(tensor: FixedTensor): TypedArray {
  return typedView(tensor.datatype === 'FP16' || tensor.datatype === 'BF16' ? widenHalf(tensor) : tensor);
}

/** Whether an input may hold any number: exports of TensorFlow take even ids as floats. */
function isNumber({ name, datatype }: TensorSpec, { ranges }: RowFacts): boolean {
  return /^(FP|BF)/.test(datatype) && ranges.get(name)?.limit === undefined;
}

/** Numbers from 0 up to 1, always the same for one seed. */
function randomNumbers(seed: number): () => number {
  const generator = mersenne(seed);
  return () => uniformFloat32(generator);
}

function pick(texts: readonly string[], random: number): string {
  return texts[Math.floor(random * texts.length)] ?? '';
}

function rotated<Element>(values: readonly Element[], by: number): Element[] {
  const at = values.length === 0 ? 0 : by % values.length;
  return [...values.slice(at), ...values.slice(0, at)];
}

function isConstant(values: readonly unknown[]): boolean {
  return values.every((value) => value === values[0]);
}

/** Changes the first element by one for every other kind, down unless it is the least: a neighbour is as likely to be valid as the value itself. */
function step(values: (number | bigint)[], { kind, least }: { kind: number; least: number }): void {
  const first = Number(values[0] ?? 0);
  if (values.length > 0 && kind % 2 === 1) values[0] = first > least ? first - 1 : first + 1;
}
