import { ServerError } from '../../../errors.ts';
import { narrowHalf, widenHalf } from '../../../tensors/half-float.ts';
import { fromTypedArray, typedView, type FixedTensor, type Tensor, type TensorSpec } from '../../../tensors/tensor.ts';
import { imageTensor, tensorImage, type Layout, type Range } from '../../image/image-tensor.ts';
import type { Pixels } from '../../image/pixels.ts';
import type { Reply } from '../../task.ts';
import type { ImageInput, ImageOutput } from './options.ts';

/** Images as inputs and outputs of bare graphs. */

/** The axes of an image in a shape; -1: the shape does not say. */
interface ImageShape {
  readonly layout: Layout;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

function shapeOf({ shape }: Pick<TensorSpec, 'shape'>, wanted: Layout | undefined): ImageShape {
  const [first = -1, second = -1, third = -1] = shape.slice(-3);
  const isChannels = (size: number): boolean => size === 1 || size === 3;
  const layout = wanted ?? (isChannels(third) && !isChannels(first) ? 'nhwc' : 'nchw');
  return layout === 'nhwc'
    ? { layout, height: first, width: second, channels: third }
    : { layout, channels: first, height: second, width: third };
}

/** The tensor of an image file. Throws INVALID_INPUT, TOO_LARGE. */
export async function imageRow(bytes: Uint8Array, spec: TensorSpec, asked: ImageInput): Promise<FixedTensor> {
  const { decodeImage, resizeImage } = await import('../../image/codec.ts');
  const wanted = shapeOf(spec, asked.layout);
  const decoded = await decodeImage(bytes, asked.maxPixels);
  const size = sizeOf(decoded, wanted, asked);
  if (size.width * size.height > asked.maxPixels)
    throw new ServerError('INVALID_INPUT', `An image of ${decoded.width} x ${decoded.height} pixels is too narrow.`);
  const resized = await resizeImage(decoded, size, 'bilinear');
  const colours = asked.colours ?? (wanted.channels === 1 ? 'grey' : 'rgb');
  const pixels = colours === 'grey' ? grey(resized) : resized;
  const scale = asked.scale ?? (spec.datatype === 'UINT8' ? 1 : 1 / 255);
  const range = rangeOf({ ...asked, scale }, pixels.channels);
  const tensor = imageTensor(pixels, wanted.layout, { ...range, isBlueFirst: colours === 'bgr' });
  const shape = spec.shape.length === 3 ? tensor.shape.slice(1) : tensor.shape;
  return asDatatype({ ...tensor, shape }, spec.datatype);
}

/** The sizes that are asked for or fixed; a free one keeps the image's proportions. */
function sizeOf(
  image: Pixels,
  wanted: ImageShape,
  asked: ImageInput,
): { readonly width: number; readonly height: number } {
  const width = asked.width ?? (wanted.width > 0 ? wanted.width : undefined);
  const height = asked.height ?? (wanted.height > 0 ? wanted.height : undefined);
  if (width === undefined && height === undefined) return image;
  const scaled = (length: number, scale: number): number => Math.max(1, Math.round(length * scale));
  return {
    width: width ?? scaled(image.width, (height ?? 1) / image.height),
    height: height ?? scaled(image.height, (width ?? 1) / image.width),
  };
}

/** One channel of luma (ITU-R BT.601), as Pillow's mode L. */
function grey({ width, height, data }: Pixels): Pixels {
  const values = Uint8Array.from({ length: width * height }, (_, at) =>
    Math.round(0.299 * (data[3 * at] ?? 0) + 0.587 * (data[3 * at + 1] ?? 0) + 0.114 * (data[3 * at + 2] ?? 0)),
  );
  return { width, height, channels: 1, data: values };
}

/** A single value is that of all channels. */
function rangeOf({ scale, mean, std }: Pick<ImageOutput, 'scale' | 'mean' | 'std'>, channels: number): Range {
  const each = (values: readonly number[]): number[] =>
    Array.from({ length: channels }, (_, channel) => values[channel] ?? values[0] ?? 0);
  return { scale, mean: each(mean), std: each(std) };
}

function asDatatype(tensor: FixedTensor, datatype: TensorSpec['datatype']): FixedTensor {
  if (datatype === 'FP16') return narrowHalf(tensor);
  if (datatype !== 'UINT8') return tensor;
  return fromTypedArray(
    'UINT8',
    tensor.shape,
    Uint8Array.from(Uint8ClampedArray.from(typedView(tensor) as Float32Array)),
  );
}

/** An output of this shape as an image file. Throws a plain Error if it is not an image. */
export async function imageReply(tensor: Tensor, spec: TensorSpec, asked: ImageOutput): Promise<Reply> {
  const { encodeImage } = await import('../../image/codec.ts');
  const wide = tensor.datatype === 'FP16' ? widenHalf(tensor) : tensor;
  const { layout } = shapeOf(spec, asked.layout);
  const { channels } = shapeOf(tensor, layout);
  const whole = wide.shape.length === 3 ? { ...wide, shape: [1, ...wide.shape] } : wide;
  const image = tensorImage(whole, layout, rangeOf(asked, channels));
  return { contentType: `image/${asked.format}`, bytes: await encodeImage(image, asked.format) };
}
