import type { IncomingMessage } from 'node:http';

/** A client that stops writing for this long has read, or never will. */
const IDLE_MS = 1000;
const MOST_MS = 10_000;

/**
 * Resolves when the rest of a body that nobody wants has come, or the client has stopped sending it, within bounds. Many clients write all of
 * a body before they read; were the connection closed meanwhile, they would be told of a broken pipe instead of the refusal.
 */
export function bodyGone(request: IncomingMessage): Promise<void> {
  // A client that asks first has not sent anything.
  if (request.complete || request.headers.expect !== undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(idle);
      clearTimeout(most);
      request.off('data', onData).off('end', done).off('close', done);
      resolve();
    };
    const onData = (): void => void idle.refresh();
    const idle = setTimeout(done, IDLE_MS);
    const most = setTimeout(done, MOST_MS);
    request.on('data', onData).once('end', done).once('close', done).resume();
  });
}
