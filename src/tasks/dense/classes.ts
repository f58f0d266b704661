import type { Frame } from '../image/placing.ts';
import { tapsOf } from './grid.ts';

/** The likeliest class of each pixel. */

export interface LogitGrid {
  readonly classes: number;
  readonly height: number;
  readonly width: number;
}

/**
 * The class of each pixel of the image: the logits [classes, height, width] are interpolated to the image's size, and the greatest wins
 * (`post_process_semantic_segmentation` of transformers). A class that wins in the four cells around a pixel wins in every mean of them, so only pixels
 * between different winners need all classes.
 */
export function classesOf(logits: Float32Array, grid: LogitGrid, frame: Frame): Uint16Array {
  const winners = winnersOf(logits, grid);
  const { columns, rows } = tapsOf(frame, grid, 'bilinear');
  const { width, height } = frame.image;
  const found = new Uint16Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const upper = (rows.cells[y * 2] ?? 0) * grid.width;
    const lower = (rows.cells[y * 2 + 1] ?? 0) * grid.width;
    const down = rows.weights[y * 2 + 1] ?? 0;
    for (let x = 0; x < width; x += 1) {
      const left = columns.cells[x * 2] ?? 0;
      const right = columns.cells[x * 2 + 1] ?? 0;
      const corners = [upper + left, upper + right, lower + left, lower + right] as const;
      const winner = winners[corners[0]] ?? 0;
      const isInside =
        winners[corners[1]] === winner && winners[corners[2]] === winner && winners[corners[3]] === winner;
      found[y * width + x] = isInside
        ? winner
        : greatest(logits, grid, { corners, across: columns.weights[x * 2 + 1] ?? 0, down });
    }
  }
  return found;
}

function winnersOf(logits: Float32Array, { classes, height, width }: LogitGrid): Uint16Array {
  const area = height * width;
  const best = logits.slice(0, area);
  const winners = new Uint16Array(area);
  for (let classId = 1; classId < classes; classId += 1)
    for (let cell = 0; cell < area; cell += 1) {
      const logit = logits[classId * area + cell] ?? -Infinity;
      if (logit > (best[cell] ?? -Infinity)) {
        best[cell] = logit;
        winners[cell] = classId;
      }
    }
  return winners;
}

interface Between {
  readonly corners: readonly [number, number, number, number];
  readonly across: number;
  readonly down: number;
}

function greatest(
  logits: Float32Array,
  { classes, height, width }: LogitGrid,
  { corners: [one, two, three, four], across, down }: Between,
): number {
  const area = height * width;
  let found = 0;
  let most = -Infinity;
  for (let classId = 0, at = 0; classId < classes; classId += 1, at += area) {
    const upper = (logits[at + one] ?? 0) * (1 - across) + (logits[at + two] ?? 0) * across;
    const lower = (logits[at + three] ?? 0) * (1 - across) + (logits[at + four] ?? 0) * across;
    const logit = upper * (1 - down) + lower * down;
    if (logit > most) [most, found] = [logit, classId];
  }
  return found;
}
