import type { PictureShape } from './types.ts';

/** A picture as the numbers of a tensor. */

/** How grey levels of 0 to 255 become numbers. */
export const RANGES = {
  '0 to 1': { scale: 1 / 255, mean: [0, 0, 0], deviation: [1, 1, 1] },
  '-1 to 1': { scale: 1 / 255, mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
  '0 to 255': { scale: 1, mean: [0, 0, 0], deviation: [1, 1, 1] },
  ImageNet: { scale: 1 / 255, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
} as const;
export type Range = keyof typeof RANGES;

/** Size at which a picture is drawn for a tensor: fixed axes as they are; a free one keeps the picture's proportions. */
export function sizeFor(
  { width, height }: PictureShape,
  picture: { width: number; height: number },
): { width: number; height: number } {
  const ratio = picture.width / Math.max(1, picture.height);
  if (width !== undefined && height !== undefined) return { width, height };
  if (height !== undefined) return { height, width: Math.max(1, Math.round(height * ratio)) };
  if (width !== undefined) return { width, height: Math.max(1, Math.round(width / ratio)) };
  return { width: picture.width, height: picture.height };
}

/**
 * Numbers of a tensor from RGBA bytes in rows, in the order of `layout`. Transparent pixels lie on white. `isInverted`: light ink on a dark ground, as
 * models of digits want it. Integer tensors get whole numbers; others at most five digits behind the point, so that bodies stay small.
 */
export function pixelNumbers(
  rgba: Uint8ClampedArray,
  { layout, channels }: Pick<PictureShape, 'layout' | 'channels'>,
  { range, isInverted, isWhole }: { readonly range: Range; readonly isInverted: boolean; readonly isWhole: boolean },
): number[] {
  const count = rgba.length / 4;
  const { scale, mean, deviation } = RANGES[range];
  const numbers = new Array<number>(count * channels);
  for (let pixel = 0; pixel < count; pixel += 1)
    for (let channel = 0; channel < channels; channel += 1) {
      const level = levelOf(rgba, pixel, channels === 1 ? undefined : channel);
      const number = ((isInverted ? 255 - level : level) * scale - (mean[channel] ?? 0)) / (deviation[channel] ?? 1);
      const at = layout === 'chw' ? channel * count + pixel : pixel * channels + channel;
      numbers[at] = isWhole ? Math.round(number) : Math.round(number * 1e5) / 1e5;
    }
  return numbers;
}

/** Of a channel, or the grey level (ITU-R BT.601), on white. */
function levelOf(rgba: Uint8ClampedArray, pixel: number, channel: number | undefined): number {
  const at = pixel * 4;
  const alpha = (rgba[at + 3] ?? 255) / 255;
  const of = (index: number): number => (rgba[at + index] ?? 0) * alpha + 255 * (1 - alpha);
  return channel === undefined ? 0.299 * of(0) + 0.587 * of(1) + 0.114 * of(2) : of(channel);
}

/** The shape of an item that a picture of this size becomes. */
export function pictureItemShape(
  { layout, channels }: PictureShape,
  { width, height }: { width: number; height: number },
): number[] {
  if (layout === 'hw') return [height, width];
  return layout === 'chw' ? [channels, height, width] : [height, width, channels];
}

/** Less than this is no picture. */
const LEAST_SIDE = 8;
const FLOATS = /^(FP|BF|UINT8$)/;

/** Whether a tensor looks like a picture, and how. `shape` is that of an item; free axes are -1. */
export function pictureShapeOf(datatype: string, shape: readonly number[]): PictureShape | undefined {
  if (!FLOATS.test(datatype)) return undefined;
  const side = (size: number | undefined): size is number => size === -1 || (size !== undefined && size >= LEAST_SIDE);
  const free = (size: number): number | undefined => (size === -1 ? undefined : size);
  const [first, second, third] = shape;
  if (shape.length === 3) {
    if ((first === 1 || first === 3) && side(second) && side(third))
      return { layout: 'chw', channels: first, height: free(second), width: free(third) };
    if ((third === 1 || third === 3) && side(first) && side(second))
      return { layout: 'hwc', channels: third, height: free(first), width: free(second) };
  }
  if (shape.length === 2 && first === second && side(first) && first > 0)
    return { layout: 'hw', channels: 1, height: first, width: first };
  return undefined;
}
