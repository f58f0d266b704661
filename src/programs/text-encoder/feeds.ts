import { Tensor as OrtTensor } from 'onnxruntime-node';
import type { EncoderOptions } from '../../tasks/text/encoder-contract.ts';
import type { Signature, TensorSpec } from '../../tensors/tensor.ts';

/** The inputs of a padded batch, as the graph of a text encoder takes them. */

/** A text as it lies in a batch. */
export interface TokenizedText {
  readonly ids: Int32Array;
  readonly secondFrom: number | undefined;
}

export interface Padding {
  /** Tokens of each padded row. */
  readonly length: number;
  readonly padId: number;
  readonly side: 'left' | 'right';
  /** Of a decoder's cache, where the graph does not say. */
  readonly cache?: Pick<EncoderOptions, 'keyValueHeads' | 'headSize'>;
}

/** What an input holds for one token of a row, by the names that exporters give; padding holds 0, ids the padding id. */
const VALUES: Readonly<Record<string, (row: TokenizedText, index: number) => number>> = {
  input_ids: ({ ids }, index) => ids[index] ?? 0,
  attention_mask: () => 1,
  token_type_ids: ({ secondFrom }, index) => (secondFrom !== undefined && index >= secondFrom ? 1 : 0),
  position_ids: (_, index) => index,
};

/** Inputs of a decoder: keys and values of tokens before, of which a text has none, and which of the graph's branches to take. */
const PAST = /^past/;
const BRANCH = 'use_cache_branch';

/** Throws a plain Error that says which input of the graph is not one of a text encoder. */
export function checkInputs({ inputs }: Signature): void {
  for (const { name, datatype, shape } of inputs) {
    if (name === BRANCH && datatype === 'BOOL') continue;
    if (PAST.test(name) && shape.length === 4 && (datatype === 'FP32' || datatype === 'FP16')) continue;
    if (!Object.hasOwn(VALUES, name))
      throw new Error(`input ${name} is not one of a text encoder (${Object.keys(VALUES).join(', ')})`);
    if (datatype !== 'INT64' && datatype !== 'INT32')
      throw new Error(`input ${name} of a text encoder must be INT64 or INT32, not ${datatype}`);
  }
  if (!inputs.some(({ name }) => name === 'input_ids')) throw new Error('a text encoder needs an input input_ids');
}

/** Tensors [rows, length] by name. */
export function makeFeeds(
  { inputs }: Signature,
  rows: readonly TokenizedText[],
  padding: Padding,
): Record<string, OrtTensor> {
  const feeds: Record<string, OrtTensor> = {};
  for (const input of inputs) {
    const { name, datatype } = input;
    if (PAST.test(name)) {
      feeds[name] = emptyPast(input, rows.length, padding.cache);
      continue;
    }
    if (name === BRANCH) {
      feeds[name] = new OrtTensor('bool', Uint8Array.of(0), [1]);
      continue;
    }
    const wide = datatype === 'INT64';
    const shape = [rows.length, padding.length];
    const values = fill(name, rows, { ...padding, stride: wide ? 2 : 1 });
    feeds[name] = wide
      ? new OrtTensor('int64', new BigInt64Array(values.buffer), shape)
      : new OrtTensor('int32', values, shape);
  }
  return feeds;
}

/** Keys or values of no tokens, [rows, heads, 0, size]. */
function emptyPast({ name, datatype, shape }: TensorSpec, rows: number, cache: Padding['cache']): OrtTensor {
  const [, heads = -1, , size = -1] = shape;
  const dims = [rows, heads > 0 ? heads : (cache?.keyValueHeads ?? -1), 0, size > 0 ? size : (cache?.headSize ?? -1)];
  if (dims.includes(-1)) throw new Error(`${name}: neither the graph nor config.json tells its heads and their size`);
  return datatype === 'FP16'
    ? new OrtTensor('float16', new Uint16Array(0), dims)
    : new OrtTensor('float32', new Float32Array(0), dims);
}

/** The values of one input; none is negative, so that an int64 is its lower half (`stride` 2, little-endian). */
function fill(
  name: string,
  rows: readonly TokenizedText[],
  { length, padId, side, stride }: Padding & { readonly stride: number },
): Int32Array<ArrayBuffer> {
  const valueOf = VALUES[name];
  if (valueOf === undefined) throw new Error(`input ${name} is not known`);
  const values = new Int32Array(rows.length * length * stride);
  const pad = name === 'input_ids' ? padId : 0;
  for (const [at, row] of rows.entries()) {
    const count = row.ids.length;
    const offset = startOf(count, { length, side });
    for (let index = 0; index < length; index += 1) {
      const token = index - offset;
      values[(at * length + index) * stride] = token >= 0 && token < count ? valueOf(row, token) : pad;
    }
  }
  return values;
}

/** Where a row's own tokens begin. */
export function startOf(count: number, { length, side }: Pick<Padding, 'length' | 'side'>): number {
  return side === 'left' ? length - count : 0;
}
