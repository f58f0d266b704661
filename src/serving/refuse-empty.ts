import { ServerError } from '../errors.ts';
import { emptyPattern } from '../tensors/rows.ts';
import type { Signature, Tensor } from '../tensors/tensor.ts';

/** A tensor without elements can end the whole process inside ONNX Runtime: it is accepted only if the trial has survived one. Throws INVALID_INPUT. */
export function refuseEmpty({ inputs, empties = [] }: Signature, tensors: readonly Tensor[]): void {
  const pattern = emptyPattern(tensors);
  if (pattern === '' || empties.includes(pattern)) return;
  const names = inputs.filter((_, index) => tensors[index]?.shape.includes(0)).map(({ name }) => name);
  throw new ServerError(
    'INVALID_INPUT',
    `Input ${names.join(', ')} has no elements, and ONNX Runtime is not known to survive that in this model: give at least one.`,
  );
}
