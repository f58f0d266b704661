import type { Frame } from '../image/placing.ts';

/** A box with the score of its class; corners are in pixels of the model's input, or of the image that was sent. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly score: number;
  readonly classId: number;
}

/** The box in pixels of the image that was sent, kept within it. */
export function inImage(box: Box, { image, left, top, width, height }: Frame): Box {
  const across = (x: number): number => clamp(((x - left) / width) * image.width, image.width);
  const down = (y: number): number => clamp(((y - top) / height) * image.height, image.height);
  return {
    ...box,
    left: across(box.left),
    top: down(box.top),
    right: across(box.right),
    bottom: down(box.bottom),
  };
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}

/** The most likely boxes, best first. */
export function best(boxes: readonly Box[], most: number): Box[] {
  return boxes.toSorted((one, other) => other.score - one.score).slice(0, most);
}

/**
 * Non-maximum suppression: of boxes of one class that overlap by more than `limit` (intersection over union), the likeliest stays. At most `most` of
 * them, best first.
 */
export function suppressed(boxes: readonly Box[], { limit, most }: { limit: number; most: number }): Box[] {
  const kept: Box[] = [];
  for (const box of boxes.toSorted((one, other) => other.score - one.score)) {
    if (kept.length === most) break;
    if (!kept.some((other) => other.classId === box.classId && overlap(other, box) > limit)) kept.push(box);
  }
  return kept;
}

/** Intersection over union. */
function overlap(one: Box, other: Box): number {
  const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (area(one) + area(other) - shared);
}

function area({ left, top, right, bottom }: Box): number {
  return (right - left) * (bottom - top);
}
