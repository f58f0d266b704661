import { ServerError } from '../errors.ts';
import { split, stack } from '../tensors/rows.ts';
import type { Signature, Tensor } from '../tensors/tensor.ts';

/** Rows of one request that run together. */
export interface Block {
  /** In signature order. */
  readonly inputs: readonly Tensor[];
  readonly rows: number;
}

/** Cuts a request of many rows into blocks of `most` at most, each with memory of its own. */
export function cutRows(signature: Signature, { inputs, rows }: Block, most: number): Block[] {
  if (rows <= most) return [{ inputs, rows }];
  const sizes = Array.from({ length: Math.ceil(rows / most) }, (_, block) => Math.min(most, rows - block * most));
  const cut = signature.inputs.map(({ batchAxis }, index) => {
    const tensor = inputs[index];
    if (tensor === undefined) throw new ServerError('INTERNAL');
    const parts = batchAxis === null ? sizes.map(() => tensor) : split(tensor, batchAxis, sizes);
    // Each ticket gives its buffers away, so none may share one.
    return parts.map((part) => (part.datatype === 'BYTES' ? part : { ...part, data: part.data.slice() }));
  });
  return sizes.map((size, block) => ({
    rows: size,
    inputs: cut.map((parts) => parts[block]).filter((part) => part !== undefined),
  }));
}

/** The outputs (signature order) of blocks, joined again. */
export function joinRows(signature: Signature, blocks: readonly (readonly Tensor[])[]): readonly Tensor[] {
  const [first] = blocks;
  if (blocks.length === 1 && first !== undefined) return first;
  return signature.outputs.map(({ batchAxis }, index) => {
    const parts = blocks.map((tensors) => tensors[index]).filter((tensor) => tensor !== undefined);
    return stack(batchAxis === null ? parts.slice(0, 1) : parts, batchAxis ?? 0);
  });
}
