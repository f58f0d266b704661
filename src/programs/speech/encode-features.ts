import { narrowHalf } from '../../tensors/half-float.ts';
import { stack } from '../../tensors/rows.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import { toOrt } from '../../onnx/ort-tensor.ts';
import type { LaneSession } from '../../onnx/session.ts';
import { encodedRows, type Encoded } from '../encoder-decoder/encoded.ts';

/** Encodes features [1, mels, frames] of several windows in one run. Throws what ONNX Runtime throws. */
export async function encodeFeatures({ onnx }: LaneSession, features: readonly Tensor[]): Promise<Encoded[]> {
  const [input] = onnx.session.inputMetadata;
  const [outputName = ''] = onnx.session.outputNames;
  if (input?.isTensor !== true) throw new Error('the encoder has no input');
  const batch = stack(features, 0);
  const ready = input.type === 'float16' && batch.datatype === 'FP32' ? narrowHalf(batch) : batch;
  const output = (await onnx.run({ [input.name]: toOrt(ready) }))[outputName];
  if (output === undefined) throw new Error(`output ${outputName} is missing`);
  return encodedRows(output);
}
