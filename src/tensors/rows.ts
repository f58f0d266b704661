import { elementCount, FIXED_DATATYPES, type FixedTensor, type Signature, type Tensor } from './tensor.ts';

/** Stacks rows into batches and splits batches into rows, along any axis. All tensors are row-major. */

/** Elements before (outer) and after (inner) an axis: a tensor is `outer` blocks of `shape[axis] * inner` elements. */
function around(shape: readonly number[], axis: number): { outer: number; inner: number } {
  return { outer: elementCount(shape.slice(0, axis)), inner: elementCount(shape.slice(axis + 1)) };
}

/** Joins tensors along `axis`; their other dimensions must be equal. A single tensor is returned as it is. */
export function stack(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (first === undefined) throw new Error('nothing to stack');
  if (parts.length === 1) return first;
  let rows = 0;
  for (const part of parts) rows += part.shape[axis] ?? 0;
  const shape = first.shape.with(axis, rows);
  const { outer, inner } = around(shape, axis);
  if (first.datatype === 'BYTES') {
    const texts = parts as readonly Extract<Tensor, { datatype: 'BYTES' }>[];
    const data: string[] = [];
    for (let block = 0; block < outer; block += 1)
      for (const part of texts) {
        const width = (part.shape[axis] ?? 0) * inner;
        for (let at = block * width; at < (block + 1) * width; at += 1) data.push(part.data[at] ?? '');
      }
    return { datatype: 'BYTES', shape, data };
  }
  const bytes = FIXED_DATATYPES[first.datatype].bytes;
  const data = new Uint8Array(outer * rows * inner * bytes);
  let at = 0;
  for (let block = 0; block < outer; block += 1)
    for (const part of parts as readonly FixedTensor[]) {
      const width = (part.shape[axis] ?? 0) * inner * bytes;
      data.set(outer === 1 ? part.data : part.data.subarray(block * width, (block + 1) * width), at);
      at += width;
    }
  return { datatype: first.datatype, shape, data };
}

/** Cuts a batch along `axis` into parts of the given numbers of rows: views if the axis is the first, else copies. Throws a plain Error if the rows do not add up. */
export function split(batch: Tensor, axis: number, rows: readonly number[]): Tensor[] {
  const total = batch.shape[axis] ?? 0;
  if (rows.reduce((sum, count) => sum + count, 0) !== total)
    throw new Error(`an output has ${total} rows along axis ${axis} where the batch has another number`);
  if (rows.length === 1) return [batch];
  const { outer, inner } = around(batch.shape, axis);
  const parts: Tensor[] = [];
  let start = 0;
  for (const count of rows) {
    parts.push(
      cut(batch, {
        shape: batch.shape.with(axis, count),
        outer,
        from: start * inner,
        width: count * inner,
        stride: total * inner,
      }),
    );
    start += count;
  }
  return parts;
}

interface Cut {
  readonly shape: readonly number[];
  readonly outer: number;
  /** First element within a block, elements per part and per whole block. */
  readonly from: number;
  readonly width: number;
  readonly stride: number;
}

function cut(batch: Tensor, { shape, outer, from, width, stride }: Cut): Tensor {
  if (batch.datatype === 'BYTES') {
    const data: string[] = [];
    for (let block = 0; block < outer; block += 1)
      data.push(...batch.data.slice(block * stride + from, block * stride + from + width));
    return { datatype: 'BYTES', shape, data };
  }
  const { bytes } = FIXED_DATATYPES[batch.datatype];
  if (outer === 1)
    return { datatype: batch.datatype, shape, data: batch.data.subarray(from * bytes, (from + width) * bytes) };
  const data = new Uint8Array(outer * width * bytes);
  for (let block = 0; block < outer; block += 1) {
    const begin = (block * stride + from) * bytes;
    data.set(batch.data.subarray(begin, begin + width * bytes), block * width * bytes);
  }
  return { datatype: batch.datatype, shape, data };
}

/** The tensor in a buffer of its own, so that it can be transferred to another thread: rows cut from a batch share its buffer. */
export function ownTensor(tensor: Tensor): Tensor {
  if (tensor.datatype === 'BYTES' || tensor.data.byteLength === tensor.data.buffer.byteLength) return tensor;
  return { ...tensor, data: tensor.data.slice() };
}

/** The number of rows in a request's inputs (signature order): the size of the first batch axis, or 1 for a model without one. */
export function countRows({ inputs }: Signature, tensors: readonly Tensor[]): number {
  const index = inputs.findIndex(({ batchAxis }) => batchAxis !== null);
  const axis = inputs[index]?.batchAxis;
  return axis === null || axis === undefined ? 1 : (tensors[index]?.shape[axis] ?? 1);
}

/** Which axes of which tensors are 0, as text; '' if every tensor has elements. */
export function emptyPattern(tensors: readonly Tensor[]): string {
  let pattern = '';
  for (const [index, { shape }] of tensors.entries())
    for (const [axis, size] of shape.entries()) if (size === 0) pattern += `${index}.${axis} `;
  return pattern;
}

/** A request with a larger shared value runs alone, so that keys stay short. */
const SHARED_VALUE_BYTES = 64;
let alone = 0;

/**
 * Requests with equal keys may share a run: their shapes are equal except for the batch axes, and so are the values of the inputs that the
 * whole run shares (a sample rate, say).
 */
export function shapeKey({ inputs }: Signature, tensors: readonly Tensor[]): string {
  let key = '';
  for (const [index, { batchAxis }] of inputs.entries()) {
    const tensor = tensors[index];
    if (tensor === undefined) continue;
    for (const [axis, size] of tensor.shape.entries()) key += axis === batchAxis ? 'n,' : `${size},`;
    if (batchAxis === null) key += sharedValue(tensor);
    key += ';';
  }
  return key;
}

function sharedValue(tensor: Tensor): string {
  if (tensor.datatype !== 'BYTES' && tensor.data.byteLength <= SHARED_VALUE_BYTES)
    return Buffer.from(tensor.data).toString('hex');
  alone += 1;
  return `alone ${alone}`;
}
