import { setTimeout as sleep } from 'node:timers/promises';
import { ServerError } from '../../errors.ts';
import { StorageError } from '../storage.ts';

/** A failure that may pass: the request is tried again. */
export class Passing extends Error {
  /** How long the server asks to wait. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

export interface RetryPolicy {
  /** Failures in a row after which to give up. */
  readonly attempts: number;
  /** First wait; it doubles each time. */
  readonly firstDelayMs: number;
}

const LONGEST_DELAY_MS = 20_000;
/** A server that asks for more is not waited for so long. */
const LONGEST_ASKED_MS = 60_000;

/**
 * Does the work, and again while it fails for reasons that may pass: all but StorageErrors and refusals of the guard. `work` calls `noteProgress` when it
 * has got on; failures before that no longer count. Rejects with UNAVAILABLE after all tries, with `shown` for the place, and with the signal's reason.
 */
export async function retrying<Result>(
  shown: string,
  { attempts, firstDelayMs, signal }: RetryPolicy & { readonly signal: AbortSignal },
  work: (noteProgress: () => void) => Promise<Result>,
): Promise<Result> {
  let failures = 0;
  for (;;) {
    try {
      signal.throwIfAborted();
      return await work(() => (failures = 0));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ServerError) throw new StorageError('BAD_PLACE', `${shown}: ${error.message}`);
      if (error instanceof StorageError) throw error;
      failures += 1;
      if (failures >= attempts) throw new StorageError('UNAVAILABLE', `${shown}: ${reasonOf(error)}`, { cause: error });
      const backoffMs = firstDelayMs * 2 ** (failures - 1) * (0.5 + Math.random());
      const askedMs = error instanceof Passing ? Math.min(error.retryAfterMs, LONGEST_ASKED_MS) : 0;
      await sleep(Math.max(Math.min(LONGEST_DELAY_MS, backoffMs), askedMs), undefined, { signal });
    }
  }
}

/** The codes of the network's errors say what happened, and their messages may hold addresses. */
function reasonOf(error: unknown): string {
  if (error instanceof Passing) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === '' ? 'it cannot be reached' : `it cannot be reached (${code})`;
}
