import { shortFloat32 } from '../../tensors/float-text.ts';

/** How a reply writes a vector: as numbers, or as base64 of little-endian float32, as in OpenAI's API. */
export const ENCODINGS = ['float', 'base64'] as const;
export type VectorEncoding = (typeof ENCODINGS)[number];

export function encodeVector(vector: Float32Array, encoding: VectorEncoding): number[] | string {
  return encoding === 'base64'
    ? Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
    : Array.from(vector, shortFloat32);
}
