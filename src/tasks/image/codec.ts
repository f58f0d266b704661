import sharp from 'sharp';
import { ServerError } from '../../errors.ts';
import type { OutputFormat, Pixels } from './pixels.ts';

/** Images to pixels and back, by libvips. Only this file imports it, so that only threads that need it load it. */

// Each image is read once, so a cache would only take memory; and threads of libvips would take cores from the lanes.
sharp.cache(false);
sharp.concurrency(1);

/**
 * Any image as three sRGB channels: upright by its EXIF tag, on white where it is transparent, the first frame of an animation.
 * Throws TOO_LARGE above `maxPixels`, before anything is decoded, and INVALID_INPUT for an image that cannot be read.
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

/** Pixels of one channel (grey), three (sRGB) or four (with alpha) as an image file, in a buffer of its own. */
export async function encodeImage(
  { data, width, height, channels }: Pixels,
  format: OutputFormat,
): Promise<Uint8Array> {
  if (channels !== 1 && channels !== 3 && channels !== 4)
    throw new Error(`an image of ${channels} channels cannot be written`);
  const image = sharp(data, { raw: { width, height, channels } }).toColourspace(channels === 1 ? 'b-w' : 'srgb');
  const file = await image[format]().toBuffer();
  return Uint8Array.from(file);
}

/** The kernels of libvips by Pillow's names. libvips cannot shrink to any size by Hamming or box; linear is the nearest. */
const KERNELS = {
  nearest: 'nearest',
  lanczos: 'lanczos3',
  bilinear: 'linear',
  bicubic: 'cubic',
  box: 'linear',
  hamming: 'linear',
} as const;
export type Resampling = keyof typeof KERNELS;

/** The image at another size; its proportions may change. When it shrinks, pixels are averaged (antialiasing). */
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
