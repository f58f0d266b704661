import { z } from 'zod';
import type { Resampling } from './codec.ts';
import type { Range } from './image-tensor.ts';
import type { Resize, Size } from './resizing.ts';

/** How an image is prepared for a model, from preprocessor_config.json of transformers. */
export interface Preprocessing {
  /** Undefined: the image keeps its size. */
  readonly resize: Resize | undefined;
  readonly resampling: Resampling;
  /** The size that is cut out of the middle after resizing. */
  readonly crop: Size | undefined;
  /** What is put around an image that is smaller than the model's input; undefined: nothing. */
  readonly padding: Padding | undefined;
  readonly range: Range;
}

export interface Padding {
  readonly to: Size;
  /** The model's value of the padding. */
  readonly value: number;
  /** In the middle, or in the upper left corner. */
  readonly isCentred: boolean;
}

const side = z.number().int().min(1).max(10_000);
const sizes = z.union([
  side,
  z.object({ height: side, width: side }),
  z.object({ shortest_edge: side, longest_edge: side.nullish() }),
  z.object({ longest_edge: side }),
  z.object({ max_height: side, max_width: side }),
]);
const three = z.tuple([z.number(), z.number(), z.number()]);

/** Pillow's numbers of filters. */
const RESAMPLING: readonly Resampling[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

const schema = z.object({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: z.boolean().default(true),
  size: sizes.nullish(),
  /** Old configs of detectors: the longest edge. */
  max_size: side.nullish(),
  /** DPT: edges are multiples of this, and the image may keep its proportions. */
  ensure_multiple_of: side.nullish(),
  keep_aspect_ratio: z.boolean().nullish(),
  /** GLPN: edges are cut to multiples of this. */
  size_divisor: side.nullish(),
  resample: z.number().int().min(0).max(5).default(2),
  /** ConvNeXt: the image is resized to size / crop_pct, and the middle is cut out (for small sizes). */
  crop_pct: z.number().positive().max(1).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: sizes.nullish(),
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
  /** MobileViT: blue comes first. */
  do_flip_channel_order: z.boolean().nullish(),
  do_pad: z.boolean().nullish(),
  pad_size: z.object({ height: side, width: side }).nullish(),
  do_thumbnail: z.literal(false, 'not supported').nullish(),
  do_align_long_axis: z.literal(false, 'not supported').nullish(),
  do_color_quantize: z.literal(false, 'not supported').nullish(),
  do_split_image: z.literal(false, 'not supported').nullish(),
});

type Config = z.output<typeof schema>;

/** Processors that pad images of a batch to a common size: an image by itself is not padded. Those of other names pad by other rules. */
const DETECTORS = /^(Conditional|Deformable|RT)?(Detr|DETR)|^Yolos|^Deta|^GroundingDino/;
/** From this size on, ConvNeXt's images are squeezed to the size, and nothing is cut off. */
const LEAST_SQUEEZED = 384;
/** YOLOS cuts edges to multiples of its patch. */
const YOLOS_PATCH = 16;

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
    padding: paddingOf(data),
    resampling: RESAMPLING[data.resample] ?? 'bilinear',
    range: rangeOf(data),
  };
}

function processorOf({ image_processor_type: processor, feature_extractor_type: extractor }: Config): string {
  return processor ?? extractor ?? '';
}

function placing(config: Config): Pick<Preprocessing, 'resize' | 'crop'> {
  const { do_resize, size, crop_pct, do_center_crop, crop_size } = config;
  const crop = do_center_crop === true ? squareOf(crop_size ?? size) : undefined;
  if (!do_resize) return { resize: undefined, crop };
  if (size === undefined || size === null) {
    const divisor = config.size_divisor ?? undefined;
    return { resize: divisor === undefined ? undefined : { cutTo: divisor }, crop };
  }
  const edge = typeof size === 'number' ? size : 'shortest_edge' in size ? size.shortest_edge : undefined;
  if (edge !== undefined && crop_pct !== undefined && crop_pct !== null) {
    const square = { width: edge, height: edge };
    return edge >= LEAST_SQUEEZED
      ? { resize: square, crop: undefined }
      : { resize: { shortestEdge: Math.floor(edge / crop_pct) }, crop: square };
  }
  return { resize: resizeOf(config, size, crop), crop };
}

function resizeOf(config: Config, size: NonNullable<Config['size']>, crop: Size | undefined): Resize {
  if (typeof size === 'number') {
    if (typeof config.max_size === 'number') return shortestEdge(config, size, config.max_size);
    // In old configs a single number is the shorter edge if the middle is cut out afterwards, else both edges.
    return crop === undefined ? plain(config, { width: size, height: size }) : { shortestEdge: size };
  }
  if ('width' in size) return plain(config, size);
  if ('max_height' in size) return { within: { width: size.max_width, height: size.max_height } };
  if ('shortest_edge' in size)
    return shortestEdge(config, size.shortest_edge, size.longest_edge ?? config.max_size ?? undefined);
  return { longestEdge: size.longest_edge };
}

function plain({ ensure_multiple_of, keep_aspect_ratio }: Config, size: Size): Resize {
  const multipleOf = ensure_multiple_of ?? 1;
  const keepsProportions = keep_aspect_ratio ?? false;
  return multipleOf === 1 && !keepsProportions ? size : { near: size, multipleOf, keepsProportions };
}

function shortestEdge(config: Config, edge: number, longestEdge: number | undefined): Resize {
  return {
    shortestEdge: edge,
    ...(longestEdge === undefined ? {} : { longestEdge }),
    ...(processorOf(config).startsWith('Yolos') ? { cutTo: YOLOS_PATCH } : {}),
  };
}

function squareOf(size: Config['crop_size']): Size | undefined {
  if (size === undefined || size === null) return undefined;
  if (typeof size === 'number') return { width: size, height: size };
  if ('width' in size) return size;
  if ('shortest_edge' in size) return { width: size.shortest_edge, height: size.shortest_edge };
  throw new Error('preprocessor_config.json: crop_size: a height and a width are expected');
}

function paddingOf(config: Config): Padding | undefined {
  const { do_pad: isPadded, pad_size: to } = config;
  if (isPadded !== true) return undefined;
  // What surrounds the image has the value 0 after normalising.
  if (to !== undefined && to !== null) return { to, value: 0, isCentred: false };
  if (DETECTORS.test(processorOf(config))) return undefined;
  throw new Error('preprocessor_config.json: do_pad: not supported without pad_size, except for DETR and its kin');
}

function rangeOf(config: Config): Range {
  const { do_rescale, rescale_factor, rescale_offset, do_normalize, image_mean, image_std } = config;
  const offset = rescale_offset === true ? 1 : 0;
  const mean = do_normalize ? image_mean : [0, 0, 0];
  return {
    scale: do_rescale ? rescale_factor : 1,
    mean: mean.map((value) => value + offset),
    std: do_normalize ? image_std : [1, 1, 1],
    ...(config.do_flip_channel_order === true ? { isBlueFirst: true } : {}),
  };
}
