import { narrowHalf, widenHalf } from '../../tensors/half-float.ts';
import { float32, fromTypedArray, typedView, type Signature, type Tensor } from '../../tensors/tensor.ts';

/** The inputs and outputs of a graph from samples to logits, as optimum and transformers.js export it. */

const VALUES = 'input_values';
const MASK = 'attention_mask';
const LOGITS = 'logits';

/** What a graph has, by place in its signature. */
export interface GraphEnds {
  readonly logits: number;
  readonly mask: number | undefined;
  /** Takes any number of rows. */
  readonly isFree: boolean;
}

/** Throws a plain Error that says what does not fit. */
export function checkEnds({ inputs, outputs }: Signature): GraphEnds {
  const values = inputs.find(({ name }) => name === VALUES);
  const odd = inputs.find(({ name }) => name !== VALUES && name !== MASK);
  if (values === undefined || odd !== undefined)
    throw new Error(
      `a model of raw audio needs an input ${VALUES}, and takes ${MASK}${odd === undefined ? '' : `; what would ${odd.name} be?`}`,
    );
  const [rows = -1, samples = -1] = values.shape;
  if (samples !== -1) throw new Error(`${VALUES} has a fixed length of ${samples} samples; export it with a free one`);
  const logits = outputs.findIndex(({ name }) => name === LOGITS);
  if (logits === -1)
    throw new Error(`an output ${LOGITS} is needed; the graph gives ${outputs.map(({ name }) => name).join(', ')}`);
  const mask = inputs.findIndex(({ name }) => name === MASK);
  return { logits, mask: mask === -1 ? undefined : mask, isFree: rows === -1 };
}

/** Rows padded with 0 on the right to one length, and their mask. */
export function makeFeeds({ inputs }: Signature, rows: readonly Float32Array[], length: number): Tensor[] {
  const shape = [rows.length, length];
  return inputs.map(({ name, datatype }) => {
    if (name === MASK) {
      const mask = new BigInt64Array(rows.length * length);
      for (const [row, samples] of rows.entries()) mask.fill(1n, row * length, row * length + samples.length);
      if (datatype === 'INT64') return fromTypedArray('INT64', shape, mask);
      if (datatype === 'INT32') return fromTypedArray('INT32', shape, Int32Array.from(mask, Number));
      throw new Error(`${MASK} of ${datatype} is not supported`);
    }
    const values = new Float32Array(rows.length * length);
    for (const [row, samples] of rows.entries()) values.set(samples, row * length);
    const tensor = float32(shape, values);
    return datatype === 'FP16' ? narrowHalf(tensor) : tensor;
  });
}

/** The likeliest token of each frame, and its log probability. */
export interface Frames {
  readonly tokens: Int32Array;
  readonly scores: Float32Array;
}

/** Reads logits [rows, frames, tokens]; `counts` are the frames of each row that are not padding. Throws a plain Error for another tensor. */
export function readFrames(tensor: Tensor | undefined, counts: readonly number[]): Frames[] {
  const wide = tensor?.datatype === 'FP16' ? widenHalf(tensor) : tensor;
  const logits = wide?.datatype === 'FP32' ? typedView(wide) : undefined;
  const [, frames = 0, size = 0] = wide?.shape ?? [];
  if (!(logits instanceof Float32Array) || wide?.shape.length !== 3) throw new Error('the run gave no logits');
  return counts.map((wanted, row) => {
    const count = Math.min(wanted, frames);
    const tokens = new Int32Array(count);
    const scores = new Float32Array(count);
    for (let frame = 0; frame < count; frame += 1) {
      const from = (row * frames + frame) * size;
      let best = 0;
      for (let token = 1; token < size; token += 1)
        if ((logits[from + token] as number) > (logits[from + best] as number)) best = token;
      const most = logits[from + best] as number;
      let sum = 0;
      for (let token = 0; token < size; token += 1) sum += Math.exp((logits[from + token] as number) - most);
      tokens[frame] = best;
      scores[frame] = -Math.log(sum);
    }
    return { tokens, scores };
  });
}
