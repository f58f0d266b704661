/** Sizes of images on their way into a model, by the formulas of transformers' image processors. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How an image's size changes. All but a plain size keep its proportions, as far as whole pixels allow. */
export type Resize =
  | Size
  /** To a length of the shorter edge, unless the longer one would be longer than allowed; each edge is then cut to a multiple. */
  | { readonly shortestEdge: number; readonly longestEdge?: number; readonly cutTo?: number }
  | { readonly longestEdge: number }
  /** As large as fits. */
  | { readonly within: Size }
  /** To the nearest multiples of a number, at this size or, with its own proportions, near it (DPT). */
  | { readonly near: Size; readonly multipleOf: number; readonly keepsProportions: boolean }
  /** Each edge is cut to a multiple of a number (GLPN). */
  | { readonly cutTo: number };

/** Width and height after resizing. Parts of pixels are cut off, as transformers does. */
export function resizedSize(size: Size, resize: Resize): Size {
  if ('width' in resize) return resize;
  if ('shortestEdge' in resize) return byShortestEdge(size, resize);
  if ('near' in resize) return nearMultiples(size, resize);
  if ('cutTo' in resize) return cut(size, resize.cutTo);
  const { width, height } = size;
  const scale =
    'within' in resize
      ? Math.min(resize.within.width / width, resize.within.height / height)
      : resize.longestEdge / Math.max(width, height);
  return { width: atLeastOne(width * scale), height: atLeastOne(height * scale) };
}

/** `get_size_with_aspect_ratio` of DETR's image processor; with `cutTo`, that of YOLOS. */
function byShortestEdge(
  { width, height }: Size,
  { shortestEdge, longestEdge, cutTo = 1 }: Extract<Resize, { shortestEdge: number }>,
): Size {
  const short = Math.min(width, height);
  const long = Math.max(width, height);
  const isTooLong = longestEdge !== undefined && (long / short) * shortestEdge > longestEdge;
  const edge = isTooLong ? (longestEdge * short) / long : shortestEdge;
  const whole = Math.max(1, isTooLong ? roundHalfEven(edge) : edge);
  const other = short === whole ? long : atLeastOne((edge * long) / short);
  return cut(width <= height ? { width: whole, height: other } : { width: other, height: whole }, cutTo);
}

/** `get_resize_output_image_size` of DPT's image processor: of the two scales, the one nearer to 1 counts. */
function nearMultiples({ width, height }: Size, resize: Extract<Resize, { near: Size }>): Size {
  const { near, multipleOf, keepsProportions } = resize;
  const across = near.width / width;
  const down = near.height / height;
  const one = Math.abs(1 - across) < Math.abs(1 - down) ? across : down;
  const multiple = (length: number): number => Math.max(1, roundHalfEven(length / multipleOf)) * multipleOf;
  return keepsProportions
    ? { width: multiple(width * one), height: multiple(height * one) }
    : { width: multiple(near.width), height: multiple(near.height) };
}

function cut({ width, height }: Size, multiple: number): Size {
  const down = (length: number): number => Math.max(multiple, length - (length % multiple));
  return { width: down(width), height: down(height) };
}

function atLeastOne(length: number): number {
  return Math.max(1, Math.floor(length));
}

/** Python's `round`. */
function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}
