import { narrowHalf } from '../../../tensors/half-float.ts';
import { elementCount, float32, type FixedTensor, type TensorSpec } from '../../../tensors/tensor.ts';

/** Samples as an input of a bare graph: the free axis holds them; of a fixed size, they are filled up with 0 or cut off. */
export function soundRow(
  samples: Float32Array,
  { shape, datatype, anyRank }: TensorSpec,
  batchAxis: number | null,
): FixedTensor {
  const sizes = anyRank === true ? [1, -1] : shape.map((size, axis) => (axis === batchAxis ? 1 : size));
  const free = sizes.lastIndexOf(-1);
  const whole = sizes.map((size, axis) => (size === -1 && axis !== free ? 1 : size));
  const others = elementCount(whole.filter((_, axis) => axis !== free));
  const filled = free === -1 ? whole : whole.with(free, Math.ceil(samples.length / others));
  const values = new Float32Array(elementCount(filled));
  values.set(samples.subarray(0, values.length));
  const tensor = float32(filled, values);
  return datatype === 'FP16' ? narrowHalf(tensor) : tensor;
}
