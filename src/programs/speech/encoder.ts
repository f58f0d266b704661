import { Tensor as OrtTensor } from 'onnxruntime-node';
import { narrowHalf } from '../../tensors/half-float.ts';
import { stack } from '../../tensors/rows.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import type { LaneSession } from '../../onnx/session.ts';
import { toOrt } from '../../onnx/ort-tensor.ts';
import type { Hidden } from './decoder.ts';

/** The encoder's output for one window, [1, frames, width]. */
export interface Encoded {
  readonly values: Float32Array;
  readonly shape: readonly number[];
  readonly type: OrtTensor.Type;
}

/** Encodes features [1, mels, frames] of several windows in one run. Throws what ONNX Runtime throws. */
export async function encode({ onnx }: LaneSession, features: readonly Tensor[]): Promise<Encoded[]> {
  const [input] = onnx.session.inputMetadata;
  const [outputName = ''] = onnx.session.outputNames;
  if (input?.isTensor !== true) throw new Error('the encoder has no input');
  const batch = stack(features, 0);
  const ready = input.type === 'float16' && batch.datatype === 'FP32' ? narrowHalf(batch) : batch;
  const output = (await onnx.run({ [input.name]: toOrt(ready) }))[outputName];
  if (output === undefined) throw new Error(`output ${outputName} is missing`);
  const [rows = 0, ...shape] = output.dims;
  const values = output.data as Float32Array;
  const size = values.length / rows;
  return features.map((_, row) => ({
    values: values.subarray(row * size, (row + 1) * size),
    shape: [1, ...shape],
    type: output.type,
  }));
}

/** Rows, encoded together or not, as one batch for the decoder. */
export function hiddenOf(rows: readonly Encoded[]): Hidden {
  const [first] = rows;
  if (first === undefined) throw new Error('nothing was encoded');
  const size = first.values.length;
  const shape = [rows.length, ...first.shape.slice(1)];
  if (rows.length === 1) return { tensor: new OrtTensor(first.type as 'float32', first.values, shape), rows: 1 };
  const values = first.values.slice(0, 0).constructor as Float32ArrayConstructor;
  const joined = new values(size * rows.length);
  for (const [row, part] of rows.entries()) joined.set(part.values, row * size);
  return { tensor: new OrtTensor(first.type as 'float32', joined, shape), rows: rows.length };
}
