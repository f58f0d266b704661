import { typedView, type FixedTensor } from '../../tensors/tensor.ts';

/**
 * The times of a text's tokens from a decoder's attention to the audio, as in Whisper's own code (whisper/timing.py: find_alignment): attention is normalised
 * over the tokens, smoothed over time, averaged over heads, and dynamic time warping finds the way through it.
 */

/** Attention of one window, [heads, tokens, frames] row-major. */
export interface WindowAttention {
  readonly values: Float32Array;
  readonly heads: number;
  readonly tokens: number;
  readonly frames: number;
}

const FRAME_SECONDS = 0.02;
const MEDIAN_WIDTH = 7;

/** The argument of the task's call `align`: attention [1, heads, tokens, frames], and the text tokens among those that it is of. */
export interface AlignCall {
  readonly attention: FixedTensor;
  readonly tokens: readonly number[];
}

/** Where each text token begins, and last where the text ends, in seconds from the start of the window. Throws a plain Error where the shapes do not fit. */
export function align(attention: FixedTensor, text: readonly number[]): number[] {
  const [, heads = 0, tokens = 0, frames = 0] = attention.shape;
  const values = typedView(attention);
  if (!(values instanceof Float32Array) || tokens < text.length + 2)
    throw new Error('the attention is not of this text');
  return tokenTimes({ values, heads, tokens, frames }, text.length);
}

/**
 * Where each of `count` text tokens begins, in seconds from the start of the window, and last where the text ends: `count + 1` times. The text is followed by
 * one more token, and preceded by any number.
 */
export function tokenTimes(attention: WindowAttention, count: number): number[] {
  const { tokens, frames } = attention;
  const mean = meanAttention(attention);
  // Each row foretells the token after it: the row before the text is that of its first token.
  const first = tokens - 2 - count;
  const cost = mean.subarray(first * frames, (tokens - 1) * frames).map((value) => -value);
  return warp(cost, count + 1, frames).map((frame) => frame * FRAME_SECONDS);
}

/** The mean over the heads, [tokens, frames]. */
function meanAttention({ values, heads, tokens, frames }: WindowAttention): Float32Array {
  const mean = new Float32Array(tokens * frames);
  const size = tokens * frames;
  for (let head = 0; head < heads; head += 1) {
    const own = values.slice(head * size, (head + 1) * size);
    normaliseRows(own, tokens, frames);
    standardise(own, tokens, frames);
    for (let row = 0; row < tokens; row += 1) {
      const smooth = medianFilter(own.subarray(row * frames, (row + 1) * frames));
      for (let frame = 0; frame < frames; frame += 1) {
        const at = row * frames + frame;
        mean[at] = (mean[at] as number) + (smooth[frame] as number) / heads;
      }
    }
  }
  return mean;
}

/** Attention to the padding behind the audio was cut off: the rest counts as all of it. */
function normaliseRows(values: Float32Array, rows: number, frames: number): void {
  for (let row = 0; row < rows; row += 1) {
    const own = values.subarray(row * frames, (row + 1) * frames);
    let sum = 0;
    for (const value of own) sum += value;
    if (sum > 0) for (let frame = 0; frame < frames; frame += 1) own[frame] = (own[frame] as number) / sum;
  }
}

/** Each frame less its mean over the tokens, over its standard deviation. */
function standardise(values: Float32Array, rows: number, frames: number): void {
  for (let frame = 0; frame < frames; frame += 1) {
    let sum = 0;
    let squares = 0;
    for (let at = frame; at < rows * frames; at += frames) sum += values[at] as number;
    const mean = sum / rows;
    for (let at = frame; at < rows * frames; at += frames) squares += ((values[at] as number) - mean) ** 2;
    const deviation = Math.sqrt(squares / rows);
    for (let at = frame; at < rows * frames; at += frames)
      values[at] = deviation > 0 ? ((values[at] as number) - mean) / deviation : 0;
  }
}

/** The median of each value and its neighbours, with reflected ends. Rows too short to be reflected stay as they are. */
export function medianFilter(row: Float32Array, width = MEDIAN_WIDTH): Float32Array {
  const pad = Math.floor(width / 2);
  const last = row.length - 1;
  if (row.length <= pad) return row.slice();
  const at = (place: number): number => {
    const reflected = Math.abs(place);
    return row[reflected > last ? 2 * last - reflected : reflected] as number;
  };
  // Sorted; at each step one value leaves and one comes.
  const window = Float32Array.from({ length: width }, (_, offset) => at(offset - pad)).sort();
  return row.map((_, place) => {
    if (place > 0) exchange(window, at(place - 1 - pad), at(place + pad));
    return window[pad] as number;
  });
}

/** Puts `after` in place of `before` in sorted values. */
function exchange(sorted: Float32Array, before: number, after: number): void {
  let place = sorted.indexOf(before);
  for (; place + 1 < sorted.length && (sorted[place + 1] as number) < after; place += 1)
    sorted[place] = sorted[place + 1] as number;
  for (; place > 0 && (sorted[place - 1] as number) > after; place -= 1) sorted[place] = sorted[place - 1] as number;
  sorted[place] = after;
}

/** The frame at which each row begins on the cheapest way from the first to the last cell of a matrix [rows, columns] (dynamic time warping). */
export function warp(cost: Float32Array, rows: number, columns: number): number[] {
  const width = columns + 1;
  const sums = new Float32Array((rows + 1) * width).fill(Infinity);
  const steps = new Uint8Array((rows + 1) * width);
  sums[0] = 0;
  for (let column = 1; column <= columns; column += 1)
    for (let row = 1; row <= rows; row += 1) {
      const at = row * width + column;
      const diagonal = sums[at - width - 1] as number;
      const up = sums[at - width] as number;
      const left = sums[at - 1] as number;
      // Of equal ones the order is Whisper's.
      const step = diagonal < up && diagonal < left ? 0 : up < diagonal && up < left ? 1 : 2;
      sums[at] = (cost[(row - 1) * columns + column - 1] as number) + (step === 0 ? diagonal : step === 1 ? up : left);
      steps[at] = step;
    }
  const begins = new Array<number>(rows).fill(0);
  for (let row = rows, column = columns; row > 0 && column > 0;) {
    begins[row - 1] = column - 1;
    const step = steps[row * width + column];
    if (step !== 2) row -= 1;
    if (step !== 1) column -= 1;
  }
  return begins;
}
