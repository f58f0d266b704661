import { widenHalf } from '../../tensors/half-float.ts';
import { typedView, type BytesTensor, type FixedTensor } from '../../tensors/tensor.ts';

/** Up to here, keeping the best in order beats sorting all classes. */
const FEW_CLASSES = 256;

/** A row's value; bigint for 64-bit integers. */
type Value = number | bigint;

/** How an output is classified. */
export interface ClassificationOptions {
  /** Most classes per row. */
  readonly classes: number;
  /** Axis of the rows; null: the tensor is one row, and the answer has no axis for it. */
  readonly batchAxis: number | null;
  /** Names of the classes; used if there is one for each. */
  readonly labels?: readonly string[];
}

/**
 * The classification extension: for each row, the best classes over all other dimensions as `value:index` or
 * `value:index:label`, highest value first. BYTES [rows, min(classes, n)], or [min(classes, n)] without a batch axis. Floats
 * have six decimals, integers none.
 */
export function classify(tensor: FixedTensor, { classes, batchAxis, labels }: ClassificationOptions): BytesTensor {
  const values = typedView(tensor.datatype === 'FP16' || tensor.datatype === 'BF16' ? widenHalf(tensor) : tensor);
  const rows = batchAxis === null ? 1 : (tensor.shape[batchAxis] ?? 1);
  const classCount = values.length / rows;
  const inner = tensor.shape.slice((batchAxis ?? -1) + 1).reduce((product, size) => product * size, 1);
  const isFloat = values instanceof Float32Array || values instanceof Float64Array;
  const names = labels?.length === classCount ? labels : undefined;
  const count = Math.min(classes, classCount);
  const data: string[] = [];
  for (let row = 0; row < rows; row += 1) {
    const valueOf = (index: number): Value => {
      const at = (Math.floor(index / inner) * rows + row) * inner + (index % inner);
      return values[at] as Value;
    };
    for (const index of bestIndices(valueOf, classCount, count)) {
      const value = valueOf(index);
      const text = `${isFloat ? sixDecimals(Number(value)) : String(value)}:${index}`;
      data.push(names === undefined ? text : `${text}:${names[index] as string}`);
    }
  }
  return { datatype: 'BYTES', shape: batchAxis === null ? [count] : [rows, count], data };
}

/** The `count` indices of the highest values, highest first; of equals the lower index first, NaN last. */
function bestIndices(valueOf: (index: number) => Value, length: number, count: number): readonly number[] {
  const isBetter = (a: number, b: number): boolean => {
    const [first, second] = [valueOf(a), valueOf(b)];
    if (first === second) return a < b;
    // Only NaN differs from itself.
    if (Number.isNaN(first) || Number.isNaN(second))
      return Number.isNaN(first) === Number.isNaN(second) ? a < b : !Number.isNaN(first);
    return first > second;
  };
  if (count > FEW_CLASSES) {
    const all = Array.from({ length }, (_, index) => index);
    return all.sort((a, b) => (isBetter(a, b) ? -1 : 1)).slice(0, count);
  }
  const best: number[] = [];
  for (let index = 0; index < length; index += 1) {
    if (best.length === count && !isBetter(index, best[count - 1] as number)) continue;
    if (best.length === count) best.pop();
    let place = best.length;
    while (place > 0 && isBetter(index, best[place - 1] as number)) place -= 1;
    best.splice(place, 0, index);
  }
  return best;
}

/** As C's "%f", which is what clients of this extension parse. */
function sixDecimals(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  // From 1e21 on, toFixed writes exponents; such numbers are whole.
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
}
