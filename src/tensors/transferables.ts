import type { Tensor } from './tensor.ts';

/** Below this size a buffer is copied rather than transferred: handing it over costs more than its bytes (measured at 80 B and 3 kB). */
const TRANSFER_BYTES = 2048;

/** The buffers that bytes fill: others hold more, and cannot be given away with them. */
export function wholeBuffers(all: Iterable<Uint8Array>): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const { buffer, byteLength } of all)
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffers.push(buffer);
  return buffers;
}

/**
 * The buffers of tensors worth transferring, each once. Tensors that are handed to another thread are given away.
 */
export function transferables(tensors: Iterable<Tensor>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const tensor of tensors) {
    if (tensor.datatype === 'BYTES') continue;
    const { buffer } = tensor.data;
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= TRANSFER_BYTES) buffers.add(buffer);
  }
  return [...buffers];
}
