import { float32, typedView, type FixedTensor, type Tensor } from '../../tensors/tensor.ts';
import type { Pixels } from './pixels.ts';

/** Pixels to a float32 tensor of one image and back. */

export const LAYOUTS = ['nhwc', 'nchw'] as const;
export type Layout = (typeof LAYOUTS)[number];

/** The model's value of a sample from 0 to 255, channel by channel: (sample * scale - mean) / std. */
export interface Range {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The model takes blue, green, red. */
  readonly isBlueFirst?: boolean;
}

/** Shape [1, height, width, channels] (nhwc) or [1, channels, height, width] (nchw). */
export function imageTensor({ data, width, height, channels }: Pixels, layout: Layout, range: Range): FixedTensor {
  const values = new Float32Array(data.length);
  for (let channel = 0; channel < channels; channel += 1) {
    const { start, step } = place(layout, { channel, channels, size: width * height });
    const table = Float32Array.from({ length: 256 }, (_, sample) => toModel(sample, channel, range));
    const source = range.isBlueFirst === true ? channels - 1 - channel : channel;
    for (let from = source, to = start; from < data.length; from += channels, to += step)
      values[to] = table[data[from] ?? 0] ?? 0;
  }
  return float32(layout === 'nhwc' ? [1, height, width, channels] : [1, channels, height, width], values);
}

/** The image in a tensor of `imageTensor`'s shape; samples are rounded and clamped to 0 to 255. Throws a plain Error for any other tensor. */
export function tensorImage(tensor: Tensor | undefined, layout: Layout, range: Range): Pixels {
  const values = tensor?.datatype === 'FP32' ? typedView(tensor) : undefined;
  const [images, ...sizes] = tensor?.shape ?? [];
  const [height, width, channels] = layout === 'nhwc' ? sizes : [sizes[1], sizes[2], sizes[0]];
  if (!(values instanceof Float32Array) || images !== 1 || sizes.length !== 3)
    throw new Error('the output is not a float32 tensor of one image');
  if (width === undefined || height === undefined || channels === undefined) throw new Error('the output has no size');
  const data = new Uint8ClampedArray(values.length);
  for (let channel = 0; channel < channels; channel += 1) {
    const { start, step } = place(layout, { channel, channels, size: width * height });
    for (let to = channel, from = start; to < data.length; to += channels, from += step)
      data[to] = toSample(values[from] ?? 0, channel, range);
  }
  return { width, height, channels, data };
}

/** The index of a channel's first sample in the tensor, and the distance between its samples. */
function place(
  layout: Layout,
  { channel, channels, size }: { channel: number; channels: number; size: number },
): { start: number; step: number } {
  return layout === 'nhwc' ? { start: channel, step: channels } : { start: channel * size, step: 1 };
}

function toModel(sample: number, channel: number, { scale, mean, std }: Range): number {
  return (sample * scale - (mean[channel] ?? 0)) / (std[channel] ?? 1);
}

function toSample(value: number, channel: number, { scale, mean, std }: Range): number {
  return (value * (std[channel] ?? 1) + (mean[channel] ?? 0)) / scale;
}
