import type { Signature, TensorSpec } from '../../tensors/tensor.ts';

/** What a text encoder's graph allows of its batches. */
export interface GraphShape {
  /** Several texts of different lengths may share a run. */
  readonly batchable: boolean;
  /** The only length of rows that the graph takes; undefined: any. */
  readonly length: number | undefined;
}

/** From the graph's metadata: inputs are [batch, tokens], a free dimension is -1. Without a mask, padding would change a text's vector. */
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
