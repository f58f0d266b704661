import sharp from 'sharp';
import { ServerError } from '../../errors.ts';
import type { OutputFormat, Pixels } from './pixels.ts';

/** Images to pixels and back, by libvips: the one file that loads it, so that only threads that use it do. */

// Each image is read once, so a cache would only hold memory; and threads of libvips would take cores from the lanes.
sharp.cache(false);
sharp.concurrency(1);

/**
 * Three sRGB channels of any image: turned upright by its EXIF tag, transparency on white, the first frame of an animation.
 * Throws TOO_LARGE above `maxPixels`, before anything is decoded, and INVALID_INPUT on what cannot be read.
 */
export async function decodeImage(bytes: Uint8Array, maxPixels: number): Promise<Pixels> {
  const size = await readable(sharp(bytes, { limitInputPixels: false }).metadata());
  if (size.width * size.height > maxPixels)
    throw new ServerError(
      'TOO_LARGE',
      `The image has ${size.width} x ${size.height} pixels; this model takes ${maxPixels} pixels at most.`,
    );
  const pipeline = sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels })
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw({ depth: 'uchar' });
  const { data, info } = await readable(pipeline.toBuffer({ resolveWithObject: true }));
  if (info.channels !== 3) throw new Error(`a decoded image has ${info.channels} channels`);
  return { width: info.width, height: info.height, channels: 3, data };
}

async function readable<Value>(promise: Promise<Value>): Promise<Value> {
  try {
    return await promise;
  } catch (error) {
    throw new ServerError('INVALID_INPUT', 'The image is damaged or cut off.', { cause: error });
  }
}

/** An image file of pixels with one channel (grey) or three (sRGB), in memory of its own. */
export async function encodeImage(
  { data, width, height, channels }: Pixels,
  format: OutputFormat,
): Promise<Uint8Array> {
  if (channels !== 1 && channels !== 3) throw new Error(`an image of ${channels} channels cannot be written`);
  const image = sharp(data, { raw: { width, height, channels } }).toColourspace(channels === 1 ? 'b-w' : 'srgb');
  const file = await image[format]().toBuffer();
  return Uint8Array.from(file);
}

/** The kernels of libvips by the names of Pillow's. libvips has neither Hamming nor box for making smaller to any size; linear is the nearest. */
const KERNELS = {
  nearest: 'nearest',
  lanczos: 'lanczos3',
  bilinear: 'linear',
  bicubic: 'cubic',
  box: 'linear',
  hamming: 'linear',
} as const;
export type Resampling = keyof typeof KERNELS;

/** The image at another size, whatever that does to its proportions. Made smaller, its pixels are averaged over (antialiasing). */
export async function resizeImage(
  { data, width, height, channels }: Pixels,
  to: { readonly width: number; readonly height: number },
  resampling: Resampling,
): Promise<Pixels> {
  if (channels !== 3) throw new Error(`an image of ${channels} channels cannot be resized`);
  if (width === to.width && height === to.height) return { data, width, height, channels };
  const resized = await sharp(data, { raw: { width, height, channels } })
    .resize({ ...to, fit: 'fill', kernel: KERNELS[resampling] })
    .raw()
    .toBuffer();
  return { ...to, channels, data: resized };
}
