import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { ServerError } from '../errors.ts';
import type { Exchange } from './exchange.ts';

/** Sends the first `bytes` bytes of a file as they are read. Rejects with STORAGE_UNAVAILABLE if it cannot be opened; a client that leaves ends it. */
export async function sendFile(exchange: Exchange, file: string, bytes: number): Promise<void> {
  const { request, response, id } = exchange;
  const handle = await open(file).catch((error: unknown) => {
    throw new ServerError('STORAGE_UNAVAILABLE', undefined, { cause: error });
  });
  try {
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': bytes,
      'X-Request-Id': id,
    });
    if (request.method === 'HEAD' || bytes === 0) {
      response.end();
      return;
    }
    exchange.limitReading(bytes);
    await pipeline(handle.createReadStream({ start: 0, end: bytes - 1, autoClose: false }), response);
  } catch (error) {
    // The status has been sent: that it was not all, the client sees by the length.
    if (!exchange.cancellation.cancelled) exchange.note(error);
    response.destroy();
  } finally {
    await handle.close();
  }
}
