import { ServerError } from '../../errors.ts';
import { float32, typedView, type FixedTensor } from '../../tensors/tensor.ts';
import { imageTensor, type Layout } from './image-tensor.ts';
import type { Pixels } from './pixels.ts';
import type { Preprocessing } from './preprocessing.ts';
import { resizedSize, type Size } from './resizing.ts';

/** Where the image that was sent lies in a model's input; plain data. Places are in pixels of the input, and may be outside it where the image was cut. */
export interface Frame {
  /** The image that was sent, upright. */
  readonly image: Size;
  readonly input: Size;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The image resized, cut and padded for the model, as a tensor of one image. Throws INVALID_INPUT if it is so narrow that resizing would make it
 * larger than `maxPixels`.
 */
export async function placeImage(
  image: Pixels,
  { resize, resampling, crop, padding, range }: Preprocessing,
  { layout, maxPixels }: { readonly layout: Layout; readonly maxPixels: number },
): Promise<{ readonly tensor: FixedTensor; readonly frame: Frame }> {
  const { resizeImage } = await import('./codec.ts');
  const size = resize === undefined ? image : resizedSize(image, resize);
  const { width, height } = size;
  if (width * height > maxPixels)
    throw new ServerError('INVALID_INPUT', `An image of ${image.width} x ${image.height} pixels is too narrow.`);
  const resized = await resizeImage(image, { width, height }, resampling);
  const cropped = crop === undefined ? resized : cropMiddle(resized, crop);
  const tensor = imageTensor(cropped, layout, range);
  const left = crop === undefined ? 0 : -Math.floor((width - crop.width) / 2);
  const top = crop === undefined ? 0 : -Math.floor((height - crop.height) / 2);
  const frame: Frame = {
    image: { width: image.width, height: image.height },
    input: { width: cropped.width, height: cropped.height },
    ...{ left, top, width, height },
  };
  return padding === undefined ? { tensor, frame } : padded({ tensor, frame }, padding, layout);
}

function padded(
  { tensor, frame }: { readonly tensor: FixedTensor; readonly frame: Frame },
  { to, value, isCentred }: NonNullable<Preprocessing['padding']>,
  layout: Layout,
): { readonly tensor: FixedTensor; readonly frame: Frame } {
  const { input } = frame;
  const across = to.width - input.width;
  const down = to.height - input.height;
  if (across < 0 || down < 0)
    throw new ServerError(
      'INVALID_INPUT',
      `An image of ${frame.image.width} x ${frame.image.height} pixels does not fit into the model's input.`,
    );
  const left = isCentred ? Math.floor(across / 2) : 0;
  const top = isCentred ? Math.floor(down / 2) : 0;
  const values = typedView(tensor) as Float32Array;
  const channels = values.length / (input.width * input.height);
  // In nchw a channel is a plane; in nhwc there is one plane, whose pixels have several values.
  const [planes, step] = layout === 'nchw' ? [channels, 1] : [1, channels];
  const all = new Float32Array(to.width * to.height * channels).fill(value);
  const rowLength = input.width * step;
  for (let row = 0; row < planes * input.height; row += 1) {
    const plane = Math.floor(row / input.height);
    const target = (plane * to.height + top + (row % input.height)) * to.width + left;
    all.set(values.subarray(row * rowLength, (row + 1) * rowLength), target * step);
  }
  const shape = layout === 'nhwc' ? [1, to.height, to.width, channels] : [1, channels, to.height, to.width];
  return {
    tensor: float32(shape, all),
    frame: { ...frame, input: to, left: frame.left + left, top: frame.top + top },
  };
}

/** The middle of an image, with black edges where the image is smaller. */
export function cropMiddle({ data, width, height, channels }: Pixels, to: Size): Pixels {
  const cropped = new Uint8Array(to.width * to.height * channels);
  const left = Math.floor((width - to.width) / 2);
  const top = Math.floor((height - to.height) / 2);
  const from = Math.max(left, 0);
  const count = Math.min(left + to.width, width) - from;
  for (let row = 0; row < to.height; row += 1) {
    const source = row + top;
    if (source < 0 || source >= height) continue;
    const start = (source * width + from) * channels;
    cropped.set(data.subarray(start, start + count * channels), (row * to.width + from - left) * channels);
  }
  return { ...to, channels, data: cropped };
}
