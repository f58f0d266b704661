import { typedView } from '../../tensors/tensor.ts';
import type { Outputs } from '../task.ts';
import { RESULT } from './encoder-contract.ts';

/** How a classifier's logits become scores. */
export const ACTIVATIONS = {
  none: (logits: Float32Array): Float32Array => logits,
  sigmoid: (logits: Float32Array): Float32Array => logits.map((logit) => 1 / (1 + Math.exp(-logit))),
  softmax: (logits: Float32Array): Float32Array => {
    // Shifted by the greatest logit, so that nothing overflows.
    const most = logits.reduce((greatest, logit) => Math.max(greatest, logit), -Infinity);
    const powers = Float64Array.from(logits, (logit) => Math.exp(logit - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    return Float32Array.from(powers, (power) => power / sum);
  },
};
export type Activation = keyof typeof ACTIVATIONS;
export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as [Activation, ...Activation[]];

/** A text's logits from the program's output. Throws a plain Error if there are none. */
export function logitsOf(outputs: Outputs): Float32Array {
  const tensor = outputs[RESULT];
  const values = tensor === undefined || tensor.datatype === 'BYTES' ? undefined : typedView(tensor);
  if (!(values instanceof Float32Array)) throw new Error('the run gave no scores');
  return values;
}
