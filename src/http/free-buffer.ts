import { MessageChannel } from 'node:worker_threads';

/** Smaller buffers are left to the garbage collector. */
const LEAST_BYTES = 1024 * 1024;

// A buffer that is transferred to a port whose other end is closed is freed at once.
const { port1: sink, port2: end } = new MessageChannel();
end.close();

/**
 * Frees the memory of a large buffer at once; the buffer is empty afterwards, so nothing may read it any more. Without this, an idle server
 * would keep the memory until something else starts the garbage collector.
 */
export function freeBuffer(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= LEAST_BYTES) sink.postMessage(null, [buffer]);
}
