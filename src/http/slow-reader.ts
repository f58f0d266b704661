import type { ServerResponse } from 'node:http';

/** The kernel takes smaller replies, whether the client reads them or not. */
const SMALL_BYTES = 64 * 1024;
const LEAST_MS = 30_000;
const FEWEST_BYTES_PER_MS = 64;

/**
 * Calls `late` unless the last `bytes` of a response are read within 30 s and a second for each 64,000 of them. A client that takes a byte now and then
 * would otherwise keep the reply in memory, and the share of the request's body in the budget, for as long as it likes: Node's own limit begins anew with
 * each byte.
 */
export function limitReading(response: ServerResponse, bytes: number, late: () => void): void {
  if (bytes <= SMALL_BYTES) return;
  const limitMs = LEAST_MS + bytes / FEWEST_BYTES_PER_MS;
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    timer = setTimeout(() => {
      // The response waits behind another one on its connection.
      if (response.socket === null && !response.destroyed) wait();
      else late();
    }, limitMs);
  };
  wait();
  response.once('close', () => clearTimeout(timer));
}
