import type { Outputs } from '../tasks/task.ts';
import { ownTensor } from '../tensors/rows.ts';
import type { Signature, Tensor } from '../tensors/tensor.ts';

/** A ticket's tensors (signature order) by name, and their size; a text counts as 16 bytes. */
export function outputsByName(
  signature: Signature,
  tensors: readonly Tensor[],
): { readonly outputs: Outputs; readonly bytes: number } {
  const outputs: Record<string, Tensor> = {};
  let bytes = 0;
  for (const [index, { name }] of signature.outputs.entries()) {
    const tensor = tensors[index];
    if (tensor === undefined) continue;
    outputs[name] = tensor;
    bytes += tensor.datatype === 'BYTES' ? tensor.data.length * 16 : tensor.data.byteLength;
  }
  return { outputs, bytes };
}

/** Outputs in memory of their own, to be handed to another thread. */
export function ownOutputs(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, ownTensor(tensor)]));
}
