import { MessageChannel } from 'node:worker_threads';

/** Smaller ones are left to the garbage collector, which counts them itself. */
const LEAST_BYTES = 1024 * 1024;

// What is sent to a port whose other end is closed is given away to nobody: its memory is freed on the spot.
const { port1: sink, port2: end } = new MessageChannel();
end.close();

/**
 * Frees the memory of a large buffer at once; it is empty afterwards. Only for a buffer that nobody reads any more: without it, an idle server
 * keeps it until something else makes the collector run.
 */
export function freeBuffer(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= LEAST_BYTES) sink.postMessage(null, [buffer]);
}
