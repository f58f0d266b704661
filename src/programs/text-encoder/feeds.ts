import { Tensor as OrtTensor } from 'onnxruntime-node';
import type { EncoderOptions } from '../../tasks/text/encoder-contract.ts';
import type { Signature, TensorSpec } from '../../tensors/tensor.ts';

/** The inputs of a padded batch, in the form that a text encoder's graph takes. */

/** A text as token ids. */
export interface TokenizedText {
  readonly ids: Int32Array;
  readonly secondFrom: number | undefined;
}

export interface Padding {
  /** Tokens of each padded row. */
  readonly length: number;
  readonly padId: number;
  readonly side: 'left' | 'right';
  /** Sizes of a decoder's cache, where the graph does not say. */
  readonly cache?: Pick<EncoderOptions, 'keyValueHeads' | 'headSize'>;
}

/** The value of each input for one token of a row, by exporters' names. Padding is 0, and the padding id among ids. */
const VALUES: Readonly<Record<string, (row: TokenizedText, index: number) => number>> = {
  input_ids: ({ ids }, index) => ids[index] ?? 0,
  attention_mask: () => 1,
  token_type_ids: ({ secondFrom }, index) => (secondFrom !== undefined && index >= secondFrom ? 1 : 0),
  position_ids: (_, index) => index,
};

/** Inputs of a decoder: keys and values of earlier tokens, of which a text has none, and the choice of the graph's branch. */
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

/** What a text encoder's graph allows of its batches. */
export interface GraphShape {
  /** Several texts of different lengths may share a run. */
  readonly batchable: boolean;
  /** The only length of rows that the graph takes; undefined: any. */
  readonly length: number | undefined;
}

/** Reads it from the graph's metadata: inputs are [batch, tokens], and a free dimension is -1. Without a mask, padding would change a text's vector. */
export function graphShape({ inputs }: Signature): GraphShape {
  const ids = inputs.find(({ name }) => name === 'input_ids');
  const [batch = -1, tokens = -1] = ids?.shape ?? [];
  const masked = inputs.some(({ name }) => name === 'attention_mask');
  if (!masked && tokens !== -1) throw new Error('the graph has a fixed length but no input attention_mask');
  return { batchable: batch === -1 && masked, length: tokens === -1 ? undefined : tokens };
}

/** The signature for the tensor API, which takes padded rows: the batch is the first axis everywhere, unless rows run alone. */
export function graphSignature({ inputs, outputs }: Signature, alone: boolean): Signature {
  const batchable = !alone && inputs.every(({ shape }) => shape[0] === -1);
  const along = (spec: TensorSpec): TensorSpec => ({ ...spec, batchAxis: batchable ? 0 : null });
  return { inputs: inputs.map(along), outputs: outputs.map(along), batchable };
}
