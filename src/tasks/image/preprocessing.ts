import { z } from 'zod';
import type { Resampling } from './codec.ts';
import type { Range } from './image-tensor.ts';
import type { Pixels } from './pixels.ts';

/** How an image is prepared for a model, from preprocessor_config.json of transformers. */
export interface Preprocessing {
  /** Undefined: the image keeps its size. */
  readonly resize: Resize | undefined;
  readonly resampling: Resampling;
  /** The size that is cut out of the middle after resizing. */
  readonly crop: Size | undefined;
  readonly range: Range;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}
/** To a size, or to a length of the shorter edge with the image's proportions. */
export type Resize = Size | { readonly shortestEdge: number };

const side = z.number().int().min(1).max(10_000);
const sides = z.union([side, z.object({ height: side, width: side }), z.object({ shortest_edge: side })]);
const three = z.tuple([z.number(), z.number(), z.number()]);

/** Pillow's numbers of filters. */
const RESAMPLING: readonly Resampling[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

const schema = z.object({
  do_resize: z.boolean().default(true),
  size: sides.nullish(),
  resample: z.number().int().min(0).max(5).default(2),
  /** ConvNeXt: the image is resized to size / crop_pct, and the middle is cut out (for small sizes). */
  crop_pct: z.number().positive().max(1).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: sides.nullish(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  /** EfficientNet: -1 to 1 instead of 0 to 1. */
  rescale_offset: z.boolean().nullish(),
  do_normalize: z.boolean().default(true),
  image_mean: three.default([0.5, 0.5, 0.5]),
  image_std: three.default([0.5, 0.5, 0.5]),
  do_pad: z.literal(false).nullish(),
});

/** From this size on, ConvNeXt's images are squeezed to the size, and nothing is cut off. */
const LEAST_SQUEEZED = 384;

/** Reads preprocessor_config.json. Throws a plain Error that names every field that is wrong or not supported. */
export function readPreprocessing(json: unknown): Preprocessing {
  const result = schema.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new Error(`preprocessor_config.json: ${problems.join('; ')}`);
  }
  const { data } = result;
  return {
    ...placing(data),
    resampling: RESAMPLING[data.resample] ?? 'bilinear',
    range: rangeOf(data),
  };
}

type Config = z.output<typeof schema>;

function placing({
  do_resize,
  size,
  crop_pct,
  do_center_crop,
  crop_size,
}: Config): Pick<Preprocessing, 'resize' | 'crop'> {
  const crop = do_center_crop === true ? squareOf(crop_size ?? size) : undefined;
  if (!do_resize || size === undefined || size === null) return { resize: undefined, crop };
  const edge = typeof size === 'number' ? size : 'shortest_edge' in size ? size.shortest_edge : undefined;
  if (edge !== undefined && crop_pct !== undefined && crop_pct !== null) {
    const square = { width: edge, height: edge };
    return edge >= LEAST_SQUEEZED
      ? { resize: square, crop: undefined }
      : { resize: { shortestEdge: Math.floor(edge / crop_pct) }, crop: square };
  }
  if (typeof size === 'number')
    // In old configs a single number is the shorter edge if the middle is cut out afterwards, else both edges.
    return { resize: crop === undefined ? { width: size, height: size } : { shortestEdge: size }, crop };
  return { resize: 'shortest_edge' in size ? { shortestEdge: size.shortest_edge } : size, crop };
}

function squareOf(size: Config['crop_size']): Size | undefined {
  if (size === undefined || size === null) return undefined;
  if (typeof size === 'number') return { width: size, height: size };
  return 'shortest_edge' in size ? { width: size.shortest_edge, height: size.shortest_edge } : size;
}

function rangeOf({ do_rescale, rescale_factor, rescale_offset, do_normalize, image_mean, image_std }: Config): Range {
  const offset = rescale_offset === true ? 1 : 0;
  const mean = do_normalize ? image_mean : [0, 0, 0];
  return {
    scale: do_rescale ? rescale_factor : 1,
    mean: mean.map((value) => value + offset),
    std: do_normalize ? image_std : [1, 1, 1],
  };
}

/** Width and height after resizing; the longer edge is cut to whole pixels, as transformers does. */
export function resizedSize({ width, height }: Size, resize: Resize): Size {
  if (!('shortestEdge' in resize)) return resize;
  const { shortestEdge } = resize;
  const long = Math.floor((shortestEdge * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: shortestEdge, height: long } : { width: long, height: shortestEdge };
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
