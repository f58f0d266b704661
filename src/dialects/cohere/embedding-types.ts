import { numbersText, valuesOf, type Embedding } from '../shared/embedding-text.ts';

/** The forms of a vector in Cohere's API, as JSON text. */
export const EMBEDDING_TYPES = ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'] as const;
export type EmbeddingType = (typeof EMBEDDING_TYPES)[number];

/** `base64` is little-endian float32, as in OpenAI's API. */
export const EMBEDDING_TEXT: Readonly<Record<EmbeddingType, (embedding: Embedding) => string>> = {
  float: numbersText,
  base64: ({ base64 }) => JSON.stringify(base64),
  int8: (embedding) => listText(scaled(valuesOf(embedding))),
  uint8: (embedding) => listText(scaled(valuesOf(embedding)).map((value) => value + 128)),
  binary: (embedding) => listText(signBits(valuesOf(embedding)).map((byte) => byte - 128)),
  ubinary: (embedding) => listText(signBits(valuesOf(embedding))),
};

function listText(values: readonly number[]): string {
  return `[${values.join(',')}]`;
}

/**
 * Whole numbers from -127 to 127 in the vector's own scale: its largest number becomes 127. That leaves its direction, so cosines are those of the floats;
 * a scale for all vectors of a model would have to be measured for each model.
 */
function scaled(values: Float32Array): number[] {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  const scale = most === 0 ? 0 : 127 / most;
  // `+ 0`: a negative zero has no place in a list of whole numbers.
  return Array.from(values, (value) => Math.round(value * scale) + 0);
}

/** One bit for each number, 1 where it is positive, eight to a byte with the first as its highest: numpy's `packbits(values > 0)`. */
function signBits(values: Float32Array): number[] {
  const bytes = Array.from({ length: Math.ceil(values.length / 8) }, () => 0);
  for (const [index, value] of values.entries())
    if (value > 0) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (0x80 >> (index & 7));
  return bytes;
}
