import { deserialize, serialize } from 'node:v8';
import { inSlices } from '../slices.ts';

/**
 * Lists on their way between the main thread and the CPU pool. A message is read in one go, and ten thousand items take a tenth of a second: a long
 * list is cut into chunks that the main thread writes and reads one by one, with turns for others between them.
 */
export type Parcel<Value> = { readonly values: readonly Value[] } | { readonly chunks: readonly Uint8Array[] };

/** Values of a chunk; the main thread reads a chunk of small values within half a millisecond. */
export const CHUNK_VALUES = 64;

/** Whether a list is to be cut. */
export function isLong(count: number): boolean {
  return count > CHUNK_VALUES;
}

/** The values of a long list in chunks of bytes; each has a buffer of its own, which can be handed over. */
export async function packChunks(values: readonly unknown[]): Promise<Uint8Array[]> {
  const starts = Array.from({ length: Math.ceil(values.length / CHUNK_VALUES) }, (_, chunk) => chunk * CHUNK_VALUES);
  const chunks: Uint8Array[] = [];
  await inSlices(starts, (start) => void chunks.push(serialize(values.slice(start, start + CHUNK_VALUES))));
  return chunks;
}

/** The values of chunks; byte arrays in them are views of the chunk. */
export async function unpackChunks(chunks: readonly Uint8Array[], take: (value: unknown) => void): Promise<void> {
  await inSlices(chunks, (chunk) => {
    for (const value of deserialize(chunk) as unknown[]) take(value);
  });
}

/** The buffers of chunks. */
export function buffersOf(parts: readonly Uint8Array[]): ArrayBuffer[] {
  return parts.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []));
}
