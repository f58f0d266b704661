import { ServerError } from '../errors.ts';
import type { ServerState } from '../state.ts';

/** STARTING, DRAINING or FAILED; undefined if the server is ready. */
export function unreadyError({ phase, why }: Pick<ServerState, 'phase' | 'why'>): ServerError | undefined {
  switch (phase) {
    case 'ready':
      return undefined;
    case 'starting':
    case 'draining':
      return new ServerError(phase === 'starting' ? 'STARTING' : 'DRAINING', undefined, { retryAfterMs: 1000 });
    case 'failed':
      return new ServerError('FAILED', `The server has failed: ${why}`, { retryAfterMs: 1000 });
  }
}
