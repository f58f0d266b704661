import type { Frame } from '../image/placing.ts';

/** From the coarse grid of a model's output to the pixels of the image that was sent, by torch's `interpolate` with `align_corners=False`. */

/** Numbers over the model's input, row by row. */
export interface Grid {
  readonly values: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** Which cells of an axis a pixel is made of, and their weights: `size` of each for every pixel. */
export interface Taps {
  readonly size: number;
  readonly cells: Int32Array;
  readonly weights: Float32Array;
}

export type Interpolation = 'bilinear' | 'bicubic';

/** torch's. */
const CUBIC = -0.75;

/** The taps of the columns and of the rows of the image. */
export function tapsOf(
  { image, input, left, top, width, height }: Frame,
  grid: Pick<Grid, 'width' | 'height'>,
  interpolation: Interpolation,
): { readonly columns: Taps; readonly rows: Taps } {
  const across = { pixels: image.width, from: left, length: width, input: input.width, cells: grid.width };
  const down = { pixels: image.height, from: top, length: height, input: input.height, cells: grid.height };
  const taps = interpolation === 'bilinear' ? linearTaps : cubicTaps;
  return { columns: taps(across), rows: taps(down) };
}

interface Axis {
  readonly pixels: number;
  /** Where the image begins in the model's input, and how long it is there. */
  readonly from: number;
  readonly length: number;
  readonly input: number;
  readonly cells: number;
}

/** The place of a pixel's middle, in cells. */
function placeOf(pixel: number, { pixels, from, length, input, cells }: Axis): number {
  return ((from + ((pixel + 0.5) * length) / pixels) * cells) / input - 0.5;
}

function linearTaps(axis: Axis): Taps {
  const taps = emptyTaps(2, axis.pixels);
  const last = axis.cells - 1;
  for (let pixel = 0; pixel < axis.pixels; pixel += 1) {
    const place = Math.min(Math.max(placeOf(pixel, axis), 0), last);
    const cell = Math.floor(place);
    taps.cells.set([cell, Math.min(cell + 1, last)], pixel * 2);
    taps.weights.set([1 - (place - cell), place - cell], pixel * 2);
  }
  return taps;
}

function cubicTaps(axis: Axis): Taps {
  const taps = emptyTaps(4, axis.pixels);
  for (let pixel = 0; pixel < axis.pixels; pixel += 1) {
    const place = placeOf(pixel, axis);
    const cell = Math.floor(place);
    for (let tap = 0; tap < 4; tap += 1) {
      const at = cell - 1 + tap;
      taps.cells[pixel * 4 + tap] = Math.min(Math.max(at, 0), axis.cells - 1);
      taps.weights[pixel * 4 + tap] = cubic(Math.abs(place - at));
    }
  }
  return taps;
}

function emptyTaps(size: number, pixels: number): Taps {
  return { size, cells: new Int32Array(size * pixels), weights: new Float32Array(size * pixels) };
}

/** The convolution of Keys (1981) at a distance of 0 to 2 cells. */
function cubic(distance: number): number {
  const x = distance;
  return x <= 1
    ? ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    : ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC;
}

/** The grid at the size of the image. */
export function resampled(grid: Grid, frame: Frame, interpolation: Interpolation): Float32Array {
  const { columns, rows } = tapsOf(frame, grid, interpolation);
  const { width, height } = frame.image;
  const wide = new Float32Array(width * grid.height);
  for (let row = 0; row < grid.height; row += 1)
    for (let x = 0; x < width; x += 1) wide[row * width + x] = tapped(grid.values, columns, x, [row * grid.width, 1]);
  const all = new Float32Array(width * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) all[y * width + x] = tapped(wide, rows, y, [x, width]);
  return all;
}

function tapped(
  values: Float32Array,
  { size, cells, weights }: Taps,
  pixel: number,
  [start, step]: readonly [number, number],
): number {
  let sum = 0;
  for (let tap = pixel * size; tap < (pixel + 1) * size; tap += 1)
    sum += (weights[tap] ?? 0) * (values[start + (cells[tap] ?? 0) * step] ?? 0);
  return sum;
}

/** The numbers as samples of 8 bits: 0 for `least`, 255 for `most`, cut to whole numbers. */
export function grey(values: Float32Array, [least, most]: readonly [number, number]): Uint8ClampedArray {
  const length = most > least ? most - least : Infinity;
  const samples = new Uint8ClampedArray(values.length);
  for (const [at, value] of values.entries()) samples[at] = Math.floor(((value - least) / length) * 255);
  return samples;
}

/** The least and the greatest number. */
export function rangeOf(values: Float32Array): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [least, most];
}
