import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { widenHalf } from '../../tensors/half-float.ts';
import { typedView } from '../../tensors/tensor.ts';
import { fromOrt } from '../../onnx/ort-tensor.ts';
import type { TokenVectors } from './pooling.ts';

/** An output as float32 vectors along its last axis; half floats are widened. Undefined where the run gave none. */
export function vectorsOf(output: OrtTensor | undefined): TokenVectors | undefined {
  if (output === undefined) return undefined;
  const tensor = fromOrt(output);
  if (tensor.datatype === 'BYTES') throw new Error('an output of texts holds no vectors');
  const values = typedView(tensor.datatype === 'FP16' ? widenHalf(tensor) : tensor);
  if (!(values instanceof Float32Array)) throw new Error(`an output of ${tensor.datatype} holds no vectors`);
  return { values, size: tensor.shape.at(-1) ?? values.length };
}
