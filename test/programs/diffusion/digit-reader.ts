import sharp, { type Sharp } from 'sharp';

/**
 * Tells which digit an image of 32 x 32 pixels shows, with nothing learnt from the model: digits as strokes of a pen, in the few ways
 * people write them, and the one that correlates best wherever it is shifted to.
 */

const SIDE = 32;
const MOST_SHIFT = 3;

/** SVG paths in a square of 32. */
const STROKES: Readonly<Record<number, readonly string[]>> = {
  0: ['M16 3 C8 3 7 12 7 16 C7 20 8 29 16 29 C24 29 25 20 25 16 C25 12 24 3 16 3'],
  1: ['M16 1 L16 31', 'M18 1 L16 31', 'M10 13 L18 10 L18 1 L17 31', 'M15 1 L16 31 L27 31', 'M17 1 L15 16 L19 31'],
  2: [
    'M8 8 C9 2 20 0 20 9 C20 17 13 22 8 28 L26 28',
    'M7 4 L19 3 C20 10 12 18 8 28 L22 29',
    'M10 12 C10 1 20 2 20 9 C20 18 15 22 10 28 L28 29',
  ],
  3: [
    'M8 4 C16 1 22 2 21 8 C20 12 17 14 15 15 C22 16 26 19 24 24 C22 29 14 29 7 29',
    'M10 5 C20 1 22 9 15 14 C26 15 27 30 9 27',
  ],
  4: [
    'M17 1 L7 21 L26 21 M22 10 L17 31',
    'M15 1 C13 12 4 24 11 23 C20 22 25 16 27 11 M20 17 L16 31',
    'M17 1 L6 22 L26 20 M19 5 L20 31',
  ],
  5: [
    'M24 3 L12 3 L10 13 C20 10 24 18 21 24 C19 29 13 29 8 29',
    'M24 3 C16 5 6 5 8 12 C14 15 20 18 17 24 C14 30 12 29 8 30',
    'M22 3 L8 4 L10 14 L18 22 L10 30',
  ],
  6: [
    'M14 1 C9 10 7 18 8 23 C9 31 24 30 24 23 C24 15 12 16 9 23',
    'M16 1 C10 10 8 17 10 23 C11 30 24 30 24 23 C24 17 14 17 10 23',
  ],
  7: [
    'M8 5 L23 4 C20 14 17 22 14 31 M9 19 L26 15',
    'M10 8 C12 2 22 3 22 7 C21 16 15 20 13 31 M7 19 L25 17',
    'M8 5 C16 2 25 4 26 7 C24 14 18 20 14 31',
    'M9 11 C9 1 26 1 24 9 C22 16 18 22 14 31',
  ],
  8: [
    'M16 3 C8 3 8 13 16 15 C24 18 24 29 16 29 C8 29 8 18 16 15 C24 13 24 3 16 3',
    'M20 3 C10 3 11 12 16 16 C22 20 20 29 13 29 C7 29 8 22 15 16 C21 11 22 6 20 3',
  ],
  9: [
    'M21 9 C18 1 8 3 9 9 C10 15 18 15 21 9 C23 18 24 26 22 29 L10 29',
    'M24 5 C10 3 6 12 10 14 C16 16 22 12 24 4 L20 31',
    'M18 4 C8 3 7 12 12 14 C16 14 20 9 18 4 M20 9 L25 20 L22 29 L14 29',
  ],
};

/** A stroke's picture at one place: mean 0 and length 1, so that a product with another such picture is their correlation. */
interface Template {
  readonly digit: number;
  readonly pixels: Float64Array;
}

let templates: Promise<Template[]> | undefined;

/** Digit of an image of 32 x 32 pixels in shades of grey. */
export async function readDigit(image: Uint8Array): Promise<number> {
  templates ??= drawTemplates();
  const pixels = normalised(await greyPixels(sharp(image)));
  let best = { digit: -1, likeness: -Infinity };
  for (const { digit, pixels: template } of await templates) {
    const likeness = pixels.reduce((sum, value, at) => sum + value * (template[at] ?? 0), 0);
    if (likeness > best.likeness) best = { digit, likeness };
  }
  return best.digit;
}

async function drawTemplates(): Promise<Template[]> {
  const drawn: Template[] = [];
  for (const [digit, paths] of Object.entries(STROKES))
    for (const path of paths) {
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}"><rect width="100%" height="100%"/>
        <path d="${path}" fill="none" stroke="#fff" stroke-width="5.5" stroke-linecap="round" stroke-linejoin="round"/></svg>`;
      const pixels = await greyPixels(sharp(Buffer.from(svg)).blur(1.2));
      for (let down = -MOST_SHIFT; down <= MOST_SHIFT; down += 1)
        for (let right = -MOST_SHIFT; right <= MOST_SHIFT; right += 1)
          drawn.push({ digit: Number(digit), pixels: normalised(shifted(pixels, right, down)) });
    }
  return drawn;
}

async function greyPixels(image: Sharp): Promise<Float64Array> {
  const { data, info } = await image.greyscale().raw().toBuffer({ resolveWithObject: true });
  if (info.width !== SIDE || info.height !== SIDE) throw new Error('the image is not 32 x 32');
  return Float64Array.from({ length: SIDE * SIDE }, (_, at) => data[at * info.channels] ?? 0);
}

function normalised(pixels: Float64Array): Float64Array {
  const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  const length = Math.sqrt(pixels.reduce((sum, value) => sum + (value - mean) ** 2, 0));
  return pixels.map((value) => (value - mean) / length);
}

function shifted(pixels: Float64Array, right: number, down: number): Float64Array {
  return pixels.map((_, at) => {
    const column = (at % SIDE) - right;
    const row = Math.floor(at / SIDE) - down;
    return column < 0 || column >= SIDE || row < 0 || row >= SIDE ? 0 : (pixels[row * SIDE + column] ?? 0);
  });
}
