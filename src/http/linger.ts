import type { IncomingMessage } from 'node:http';

/** A client that has not written for this long has read the reply, or never will. */
const IDLE_MS = 1000;
const MOST_MS = 10_000;

/**
 * Resolves when the rest of an unwanted body has come or the client has stopped sending it, within bounds. Many clients write the whole
 * body before they read: if the connection were closed meanwhile, they would see a broken pipe instead of the refusal.
 */
export function bodyGone(request: IncomingMessage): Promise<void> {
  // A client that sends `Expect` has not sent the body.
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
