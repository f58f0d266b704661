import { Tensor as OrtTensor } from 'onnxruntime-node';

/** The encoder's output for one source, [1, positions, width]. */
export interface Encoded {
  readonly values: Float32Array;
  readonly shape: readonly number[];
  readonly type: OrtTensor.Type;
}

/** The encoder's outputs for a batch: [rows, positions, width]. */
export interface Hidden {
  readonly tensor: OrtTensor;
  readonly rows: number;
  /** 1 for positions of a row's own source, 0 for padding, [rows, positions]; absent: the decoder reads all. */
  readonly mask?: OrtTensor;
}

/** The rows of an encoder's output; `positions` are the lengths of their sources, behind which is padding (default: all). */
export function encodedRows(output: OrtTensor, positions?: readonly number[]): Encoded[] {
  const [rows = 0, most = 0, width = 0] = output.dims;
  const values = output.data as Float32Array;
  return Array.from({ length: rows }, (_, row) => {
    const count = positions?.[row] ?? most;
    const from = row * most * width;
    return { values: values.subarray(from, from + count * width), shape: [1, count, width], type: output.type };
  });
}

/** Rows of one length, encoded together or not, as one batch for the decoder. */
export function hiddenOf(rows: readonly Encoded[]): Hidden {
  const [first] = rows;
  if (first === undefined) throw new Error('nothing was encoded');
  const positions = Math.max(...rows.map(({ shape }) => shape[1] ?? 0));
  const width = first.shape[2] ?? 0;
  const shape = [rows.length, positions, width];
  if (rows.length === 1) return { tensor: new OrtTensor(first.type as 'float32', first.values, shape), rows: 1 };
  const joined = new (first.values.constructor as Float32ArrayConstructor)(positions * width * rows.length);
  for (const [row, { values }] of rows.entries()) joined.set(values, row * positions * width);
  return { tensor: new OrtTensor(first.type as 'float32', joined, shape), rows: rows.length };
}

/** Rows of any lengths as one batch for a decoder that is told which positions to read. */
export function maskedHiddenOf(rows: readonly Encoded[]): Hidden {
  const hidden = hiddenOf(rows);
  const positions = hidden.tensor.dims[1] ?? 0;
  const mask = new BigInt64Array(rows.length * positions);
  for (const [row, { shape }] of rows.entries()) mask.fill(1n, row * positions, row * positions + (shape[1] ?? 0));
  return { ...hidden, mask: new OrtTensor('int64', mask, [rows.length, positions]) };
}
