import { shortFloat32 } from '../../tensors/float-text.ts';
import { bfloat16Bits, float16Bits, readBFloat16, readFloat16 } from '../../tensors/half-float.ts';
import { FIXED_DATATYPES, typedView, type Datatype, type FixedDatatype, type Tensor } from '../../tensors/tensor.ts';

/** JSON values to tensor elements and back. */

/** Turns a JSON value into an element of the typed array; undefined if it is not one. */
type ReadElement<Element> = (value: unknown) => Element | undefined;

const MOST_FLOAT32 = 3.4028234663852886e38;
/** JSON can hold half a character ("\\ud800"), which is not valid Unicode text. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const DECIMAL = /^-?\d{1,20}$/;

function whole(least: number, most: number): ReadElement<number> {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : undefined;
}

/** 64-bit integers, from numbers that are exact in JSON or from decimal text. */
function long(least: bigint, most: bigint): ReadElement<bigint> {
  return (value) => {
    const exact = Number.isSafeInteger(value) || (typeof value === 'string' && DECIMAL.test(value));
    if (!exact) return undefined;
    const integer = BigInt(value as number | string);
    return integer >= least && integer <= most ? integer : undefined;
  };
}

/** Numbers, refused if finite in JSON but infinite in the tensor. `null` is not taken for NaN: a missing feature must not give an answer. */
function real(convert: (value: number) => number, isInfinite: (converted: number) => boolean): ReadElement<number> {
  return (value) => {
    if (typeof value !== 'number' || Number.isNaN(value)) return undefined;
    const converted = convert(value);
    return isInfinite(converted) ? undefined : converted;
  };
}

type ElementOf<Type extends Datatype> = Type extends 'BYTES'
  ? string
  : Type extends 'INT64' | 'UINT64'
    ? bigint
    : number;

const READ: { readonly [Type in Datatype]: ReadElement<ElementOf<Type>> } = {
  BOOL: (value) => (typeof value === 'boolean' ? Number(value) : undefined),
  UINT8: whole(0, 0xff),
  UINT16: whole(0, 0xffff),
  UINT32: whole(0, 0xffffffff),
  UINT64: long(0n, 2n ** 64n - 1n),
  INT8: whole(-0x80, 0x7f),
  INT16: whole(-0x8000, 0x7fff),
  INT32: whole(-0x80000000, 0x7fffffff),
  INT64: long(-(2n ** 63n), 2n ** 63n - 1n),
  FP16: real(float16Bits, (bits) => (bits & 0x7fff) === 0x7c00),
  BF16: real(bfloat16Bits, (bits) => (bits & 0x7fff) === 0x7f80),
  FP32: real(Math.fround, (value) => Math.abs(value) > MOST_FLOAT32),
  FP64: real(
    (value) => value,
    (value) => Math.abs(value) === Infinity,
  ),
  BYTES: (value) => (typeof value === 'string' && !LONE_SURROGATE.test(value) ? value : undefined),
};

/** What an element must be, as error messages say it. */
const WANTED: Readonly<Record<Datatype, string>> = {
  BOOL: 'true or false',
  UINT8: 'an integer from 0 to 255',
  UINT16: 'an integer from 0 to 65535',
  UINT32: 'an integer from 0 to 4294967295',
  UINT64: 'an integer from 0 to 2^64 - 1 (as text above 2^53)',
  INT8: 'an integer from -128 to 127',
  INT16: 'an integer from -32768 to 32767',
  INT32: 'an integer from -2147483648 to 2147483647',
  INT64: 'an integer from -2^63 to 2^63 - 1 (as text beyond 2^53)',
  FP16: 'a number within the range of float16',
  BF16: 'a number within the range of bfloat16',
  FP32: 'a number within the range of float32',
  FP64: 'a number',
  BYTES: 'a text of whole characters',
};

/**
 * A tensor of JSON values in row-major order, in a buffer of its own. The product of the shape is the number of values.
 * Throws a plain Error that says which element is wrong and what it must be; a NullElement for `null` in place of a number.
 */
export function tensorOf(datatype: Datatype, shape: readonly number[], values: readonly unknown[]): Tensor {
  if (datatype === 'BYTES') return { datatype, shape, data: values.map((value, at) => element('BYTES', value, at)) };
  const data = new Uint8Array(values.length * FIXED_DATATYPES[datatype].bytes);
  const view = typedView({ datatype, shape, data });
  if (view instanceof BigInt64Array || view instanceof BigUint64Array) {
    const type = datatype as 'INT64' | 'UINT64';
    for (let at = 0; at < values.length; at += 1) view[at] = element(type, values[at], at);
  } else {
    const type = datatype as Exclude<FixedDatatype, 'INT64' | 'UINT64'>;
    for (let at = 0; at < values.length; at += 1) view[at] = element(type, values[at], at);
  }
  return { datatype, shape, data };
}

/** `null` in place of a number: many clients mean NaN, which JSON does not have. */
export class NullElement extends Error {}

const NULL = 'is null, which is no number; NaN goes in binary tensors only (/v2)';

function element<Type extends Datatype>(datatype: Type, value: unknown, at: number): ElementOf<Type> {
  const found = READ[datatype](value);
  if (found === undefined && value === null && datatype !== 'BYTES') throw new NullElement(`element ${at} ${NULL}`);
  if (found === undefined) throw new Error(`element ${at} must be ${WANTED[datatype]}`);
  return found;
}

type Scalar = number | string | boolean | null;

/** Turns an element into a JSON value: NaN and infinity become null, integers beyond 2^53 text. */
const WRITE: Readonly<Partial<Record<FixedDatatype, (element: number) => Scalar>>> = {
  BOOL: (element) => element !== 0,
  FP16: (bits) => finite(shortFloat32(readFloat16(bits))),
  BF16: (bits) => finite(shortFloat32(readBFloat16(bits))),
  FP32: (value) => finite(shortFloat32(value)),
  FP64: finite,
};

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function longValue(element: bigint): number | string {
  const value = Number(element);
  return Number.isSafeInteger(value) ? value : String(element);
}

/** The elements as JSON values, row-major. */
export function jsonElements(tensor: Tensor): Scalar[] {
  if (tensor.datatype === 'BYTES') return [...tensor.data];
  const view = typedView(tensor);
  if (view instanceof BigInt64Array || view instanceof BigUint64Array)
    return Array.from<bigint, Scalar>(view, longValue);
  const write = WRITE[tensor.datatype];
  return write === undefined ? Array.from(view) : Array.from(view, write);
}
