import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, isPassing } from './hub-error.ts';

export interface RetryPolicy {
  /** Failures in a row after which it is given up. */
  readonly attempts: number;
  /** First wait; it doubles each time. */
  readonly firstDelayMs: number;
  readonly signal?: AbortSignal | undefined;
}

const LONGEST_DELAY_MS = 30_000;

/**
 * Does something again while it fails for reasons that pass. `work` calls `noteProgress` when it got on: failures before that
 * no longer count. Rejects with the last error, or with the signal's reason.
 */
export async function retrying<Result>(
  { attempts, firstDelayMs, signal }: RetryPolicy,
  work: (noteProgress: () => void) => Promise<Result>,
): Promise<Result> {
  let failures = 0;
  for (;;) {
    try {
      signal?.throwIfAborted();
      return await work(() => (failures = 0));
    } catch (error) {
      failures += 1;
      signal?.throwIfAborted();
      if (!isPassing(error) || failures >= attempts) throw error;
      const backoffMs = firstDelayMs * 2 ** (failures - 1) * (0.5 + Math.random());
      const askedMs = error instanceof HubError ? (error.retryAfterMs ?? 0) : 0;
      await sleep(
        Math.min(LONGEST_DELAY_MS, Math.max(backoffMs, askedMs)),
        undefined,
        signal === undefined ? {} : { signal },
      );
    }
  }
}
