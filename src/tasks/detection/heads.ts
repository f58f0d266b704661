import type { Size } from '../image/resizing.ts';
import { ACTIVATIONS } from '../text/scores.ts';
import type { Box } from './boxes.ts';

/** How the numbers of a detector's outputs become boxes, in pixels of its input. Boxes below the threshold are left out. */

/** Values of an output of one image. */
export interface Values {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

export interface HeadOptions {
  readonly threshold: number;
  readonly input: Size;
}

/**
 * DETR, YOLOS: a softmax over the classes and "no object", which comes last (`post_process_object_detection` of DETR's image processor). Boxes are centre, width and
 * height, as parts of the input.
 */
export function softmaxBoxes(logits: Values, boxes: Values, { threshold, input }: HeadOptions): Box[] {
  const classes = logits.shape.at(-1) ?? 1;
  const found: Box[] = [];
  for (let query = 0; (query + 1) * classes <= logits.values.length; query += 1) {
    const scores = ACTIVATIONS.softmax(logits.values.subarray(query * classes, (query + 1) * classes));
    const classId = likeliest(scores.subarray(0, classes - 1));
    const score = scores[classId] ?? 0;
    if (score > threshold) found.push({ ...relativeBox(boxes.values, query, input), score, classId });
  }
  return found;
}

/**
 * RT-DETR, D-FINE, deformable and conditional DETR: each class has a probability of its own, and the likeliest pairs of query and class are boxes
 * (`post_process_object_detection` of RT-DETR's image processor).
 */
export function sigmoidBoxes(logits: Values, boxes: Values, { threshold, input }: HeadOptions): Box[] {
  const classes = logits.shape.at(-1) ?? 1;
  const found: Box[] = [];
  for (const [at, logit] of logits.values.entries()) {
    const score = 1 / (1 + Math.exp(-logit));
    if (score > threshold) {
      const query = Math.floor(at / classes);
      found.push({ ...relativeBox(boxes.values, query, input), score, classId: at % classes });
    }
  }
  // As many as there are queries.
  return found.toSorted((one, other) => other.score - one.score).slice(0, logits.values.length / classes);
}

function relativeBox(values: Float32Array, query: number, { width, height }: Size): Omit<Box, 'score' | 'classId'> {
  const [x = 0, y = 0, across = 0, down = 0] = values.subarray(query * 4, query * 4 + 4);
  return corners([x * width, y * height, across * width, down * height]);
}

function corners([x, y, width, height]: readonly [number, number, number, number]): Omit<Box, 'score' | 'classId'> {
  return { left: x - width / 2, top: y - height / 2, right: x + width / 2, bottom: y + height / 2 };
}

/** The rows of numbers that a YOLO head gives: [1, 4 + classes, places] (version 8 and later), or [1, places, 5 + classes] (version 5). */
export type YoloForm = 'v8' | 'v5' | 'end';

/** Boxes of a head that suppresses by itself; one of version 5 for one class, which also has rows of 6, has thousands. */
const MOST_ENDS = 1000;

/** Which form an output of this shape has; a number of labels decides where both would fit. `end`: [1, boxes, 6] of corners, score and class (version 10, or exported with suppression). */
export function yoloForm(shape: readonly number[], labels: number | undefined): YoloForm | undefined {
  const [, rows, columns] = shape;
  if (shape.length !== 3 || rows === undefined || columns === undefined) return undefined;
  const isShort = rows !== -1 && rows <= MOST_ENDS;
  if (columns === 6 && (isShort || (labels ?? 0) > 1)) return 'end';
  if (labels === undefined) return rows !== -1 && (columns === -1 || rows < columns) ? 'v8' : 'v5';
  if (rows === 4 + labels) return 'v8';
  return columns === 5 + labels ? 'v5' : undefined;
}

/** Boxes of a YOLO head before suppression; each place has the likeliest of its classes. */
export function yoloBoxes({ values, shape }: Values, form: YoloForm, threshold: number): Box[] {
  const [, rows = 0, columns = 0] = shape;
  if (form === 'end') return endBoxes(values, rows, threshold);
  const [places, width] = form === 'v8' ? [columns, rows] : [rows, columns];
  const at = (place: number, number: number): number =>
    values[form === 'v8' ? number * places + place : place * width + number] ?? 0;
  const first = form === 'v8' ? 4 : 5;
  const found: Box[] = [];
  for (let place = 0; place < places; place += 1) {
    const objectness = form === 'v8' ? 1 : at(place, 4);
    if (objectness <= threshold) continue;
    let classId = 0;
    let likely = 0;
    for (let number = first; number < width; number += 1) {
      const score = at(place, number);
      if (score > likely) [classId, likely] = [number - first, score];
    }
    const score = likely * objectness;
    if (score > threshold)
      found.push({ ...corners([at(place, 0), at(place, 1), at(place, 2), at(place, 3)]), score, classId });
  }
  return found;
}

function endBoxes(values: Float32Array, count: number, threshold: number): Box[] {
  const found: Box[] = [];
  for (let box = 0; box < count; box += 1) {
    const [left = 0, top = 0, right = 0, bottom = 0, score = 0, classId = 0] = values.subarray(box * 6, box * 6 + 6);
    if (score > threshold) found.push({ left, top, right, bottom, score, classId });
  }
  return found;
}

function likeliest(scores: Float32Array): number {
  let found = 0;
  for (const [classId, score] of scores.entries()) if (score > (scores[found] ?? 0)) found = classId;
  return found;
}
