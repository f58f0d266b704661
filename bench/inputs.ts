/** An input tensor of a model under measurement. */
export interface BenchInput {
  readonly name: string;
  readonly datatype: 'FP32' | 'FP64' | 'INT64';
  /** -1 is the batch. */
  readonly shape: readonly number[];
  /** All values; without it they are random, -1 to 1. */
  readonly fill?: number;
}

export interface FilledInput {
  readonly name: string;
  readonly datatype: BenchInput['datatype'];
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** Values for so many items; `random` gives numbers in [0, 1). */
export function fillInput(
  { name, datatype, shape, fill }: BenchInput,
  batch: number,
  random: () => number,
): FilledInput {
  const dims = shape.map((dimension) => (dimension === -1 ? batch : dimension));
  const length = dims.reduce((product, dimension) => product * dimension, 1);
  return { name, datatype, shape: dims, values: Array.from({ length }, () => fill ?? 2 * random() - 1) };
}

/** The values as the bytes of their datatype, in this machine's order. */
export function toTyped({ datatype, values }: FilledInput): Float32Array | Float64Array | BigInt64Array {
  if (datatype === 'FP32') return Float32Array.from(values);
  return datatype === 'FP64' ? Float64Array.from(values) : BigInt64Array.from(values, BigInt);
}
