import { FIXED_DATATYPES, elementCount, fromTypedArray, type Datatype, type Tensor } from '../../tensors/tensor.ts';
import { malformed, shown } from './error.ts';
import type { JsonDocument } from './exact-json.ts';

/** An entry of `inputs` with its `data`, not checked yet. */
export interface DataEntry {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: unknown;
  /** In the list of inputs. */
  readonly position: number;
}

/** Makes tensors of entries. Throws BAD_REQUEST. */
export interface DataReader {
  read(entry: DataEntry): Tensor;
}

/** Reads from JSON that is parsed as a whole. */
export class ParsedData implements DataReader {
  readonly #document: JsonDocument;
  readonly #limitElements: number;

  constructor(document: JsonDocument, bodyBytes: number) {
    this.#document = document;
    // Each element takes a character and a comma at least.
    this.#limitElements = bodyBytes / 2;
  }

  read({ name, datatype, shape, data, position }: DataEntry): Tensor {
    const exact = (): unknown => {
      // The entry was read from the same text, so the place exists.
      const root = this.#document.exact() as { readonly inputs: readonly { readonly data: unknown }[] };
      return root.inputs[position]?.data;
    };
    return tensorFromJson({ name, datatype, shape, data, exact }, this.#limitElements);
  }
}

/** The `data` of one input, and what its sender said about it. */
export interface JsonData extends Omit<DataEntry, 'position'> {
  /** The same `data` with large integers as strings of digits; called for 64-bit integers alone. */
  exact(): unknown;
}

/** Takes the scalars of one innermost array; `start` is the flat index of the first. */
type Writer = (values: readonly unknown[], start: number) => void;

/** Numbers from here on would round to infinity. */
const FP32_OVERFLOW = (2 - 2 ** -24) * 2 ** 127;
/** Length of -9223372036854775808 and 18446744073709551615; reading a longer one could take seconds. */
const MAX_INTEGER_TEXT = 20;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * A tensor from JSON numbers, booleans or strings: flat in row-major order, or nested as its shape is. An array at depth d
 * holds either shape[d] arrays or all scalars of the dimensions from d on. Throws BAD_REQUEST on a wrong count, an
 * element of the wrong kind (`null` is no number), an integer out of range, and on FP16 and BF16, which the protocol keeps to binary.
 *
 * @param limitElements - how many elements the body can hold at most; nothing is allocated for a shape beyond it
 */
export function tensorFromJson(input: JsonData, limitElements: number): Tensor {
  const { name, datatype, shape, data } = input;
  if (datatype === 'FP16' || datatype === 'BF16') {
    const text = `receiving ${datatype} data via JSON is not supported. Please use the binary data format for input`;
    throw malformed(`${text} ${shown(name)}`);
  }
  if (!Array.isArray(data)) throw malformed(`'data' of input ${shown(name)} must be an array`);
  const count = elementCount(shape);
  if (count > limitElements) throw wrongCount(input);
  if (datatype === 'BYTES') {
    const texts: string[] = [];
    fill(data, 0, 0, { input, write: textWriter(input, texts) });
    return { datatype, shape, data: texts };
  }
  const values = new FIXED_DATATYPES[datatype].array(count);
  fill(data, 0, 0, { input, write: numberWriter(input, values) });
  return fromTypedArray(datatype, shape, values);
}

interface Target {
  readonly input: JsonData;
  readonly write: Writer;
}

/** Walks `data` in row-major order; depth is bounded by the rank. Returns the flat index after it. */
function fill(data: readonly unknown[], depth: number, start: number, target: Target): number {
  const { shape } = target.input;
  if (!Array.isArray(data[0])) {
    if (data.length !== countFrom(shape, depth)) throw wrongCount(target.input);
    target.write(data, start);
    return start + data.length;
  }
  if (depth + 1 >= shape.length || data.length !== shape[depth]) throw wrongCount(target.input);
  let at = start;
  for (const child of data) {
    if (!Array.isArray(child)) throw wrongCount(target.input);
    at = fill(child, depth + 1, at, target);
  }
  return at;
}

function countFrom(shape: readonly number[], depth: number): number {
  let count = 1;
  for (let axis = depth; axis < shape.length; axis += 1) count *= shape[axis] as number;
  return count;
}

function wrongCount({ name, shape }: JsonData): Error {
  const text = `must hold ${elementCount(shape)} elements, flat or nested as its shape [${shape.join(',')}]`;
  return malformed(`'data' of input ${shown(name)} ${text}`);
}

function wrongElement({ name, datatype }: JsonData, index: number, value?: unknown): Error {
  // Many clients mean NaN by `null`; a missing value must not be answered as if it were a number.
  const cure = value === null && datatype !== 'BYTES' ? ': null is no number, NaN goes in binary data only' : '';
  return malformed(`element ${index} of input ${shown(name)} is not a valid ${datatype} value${cure}`);
}

type NumericArray = InstanceType<(typeof FIXED_DATATYPES)[keyof typeof FIXED_DATATYPES]['array']>;

function numberWriter(input: JsonData, values: NumericArray): Writer {
  if (values instanceof Float32Array) return floatWriter(input, values, FP32_OVERFLOW);
  if (values instanceof Float64Array) return floatWriter(input, values, Infinity);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) return wideWriter(input, values);
  if (input.datatype === 'BOOL') return boolWriter(input, values);
  return integerWriter(input, values);
}

function floatWriter(input: JsonData, out: Float32Array | Float64Array, overflow: number): Writer {
  return (values, start) => {
    let at = start;
    for (const value of values) {
      if (typeof value === 'number' && Math.abs(value) < overflow) out[at] = value;
      else throw wrongElement(input, at, value);
      at += 1;
    }
  };
}

function integerWriter(input: JsonData, out: Exclude<NumericArray, BigInt64Array | BigUint64Array>): Writer {
  return (values, start) => {
    let at = start;
    for (const value of values) {
      if (typeof value !== 'number') throw wrongElement(input, at, value);
      out[at] = value;
      // Typed arrays wrap and truncate: a value that does not read back was out of range or not an integer.
      if (out[at] !== value) throw wrongElement(input, at);
      at += 1;
    }
  };
}

function boolWriter(input: JsonData, out: NumericArray): Writer {
  return (values, start) => {
    let at = start;
    for (const value of values) {
      if (value !== true && value !== false && value !== 1 && value !== 0) throw wrongElement(input, at);
      out[at] = Number(value);
      at += 1;
    }
  };
}

/** INT64 and UINT64. Safe integers are written as two halves, which is much faster than bigint; others by their digits. */
function wideWriter(input: JsonData, out: BigInt64Array | BigUint64Array): Writer {
  const signed = out instanceof BigInt64Array;
  const halves = new Int32Array(out.buffer);
  let exactValues: readonly unknown[] | undefined;
  return (values, start) => {
    let at = start;
    for (const value of values) {
      if (Number.isSafeInteger(value) && (signed || (value as number) >= 0)) {
        halves[2 * at] = value as number;
        halves[2 * at + 1] = Math.floor((value as number) / 2 ** 32);
      } else if (typeof value === 'number') {
        exactValues ??= (input.exact() as unknown[]).flat(input.shape.length);
        const digits = exactValues[at];
        // A number with a fraction or an exponent is still a number there: its exact value is unknown.
        if (typeof digits !== 'string' || digits.length > MAX_INTEGER_TEXT) throw wrongElement(input, at);
        const integer = BigInt(digits);
        out[at] = integer;
        if (out[at] !== integer) throw wrongElement(input, at);
      } else {
        throw wrongElement(input, at, value);
      }
      at += 1;
    }
  };
}

function textWriter(input: JsonData, out: string[]): Writer {
  return (values, start) => {
    let at = start;
    for (const value of values) {
      if (typeof value !== 'string' || LONE_SURROGATE.test(value)) throw wrongElement(input, at);
      out.push(value);
      at += 1;
    }
  };
}
