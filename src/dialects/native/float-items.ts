import { cutArrays, type ArraySpan } from '../../json-cut.ts';
import { isObject } from '../../json.ts';
import { readFloatArray, readFloatArrays } from '../../tensors/float-reader.ts';
import { elementCount } from '../../tensors/tensor.ts';
import type { JsonItem } from '../../tasks/task.ts';
import type { NativeForm } from './reply.ts';

/** One item, or a list of them. */
interface FloatItems {
  readonly kind: NativeForm['kind'];
  readonly items: readonly JsonItem[];
}

/** Far below the arrays that any JSON body may have: where there may be more, they are counted as it is parsed. */
const MOST_ARRAYS = 500_000;

/**
 * A request whose items are float32 numbers in arrays nested as `floatRow`, read without parsing these as JSON. Undefined for any other request, a wrong one
 * among them.
 */
export function readFloatItems(
  body: Uint8Array,
  floatRow: readonly number[],
  itemLimit: number,
): FloatItems | undefined {
  const cut = cutArrays(body, 'data') ?? cutArrays(body, 'items');
  if (cut === undefined || !isObject(cut.root)) return undefined;
  const [span, other] = cut.spans;
  const [field, second] = Object.entries(cut.root);
  // The one field is the one array.
  if (span === undefined || other !== undefined || second !== undefined || field?.[1] !== 0) return undefined;
  if (field[0] === 'data') {
    const value = readSingle(body, span, floatRow);
    return value && { kind: 'single', items: [{ kind: 'json', value }] };
  }
  const arraysOfItem = floatRow.length * elementCount(floatRow.slice(0, -1));
  const values = readFloatArrays(body, span, floatRow, Math.min(itemLimit, MOST_ARRAYS / arraysOfItem));
  return values && { kind: 'many', items: values.map((value) => ({ kind: 'json', value })) };
}

function readSingle(body: Uint8Array, { start, end }: ArraySpan, shape: readonly number[]): Float32Array | undefined {
  const count = elementCount(shape);
  // Each number takes a digit and a comma or bracket.
  if (count > (end - start) / 2) return undefined;
  const values = new Float32Array(count);
  return readFloatArray(body, start, { shape, nesting: shape.length }, values) === end ? values : undefined;
}
