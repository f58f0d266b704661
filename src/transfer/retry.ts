import { setTimeout as sleep } from 'node:timers/promises';

export interface RetryPolicy {
  /** Failures in a row after which to give up. */
  readonly attempts: number;
  /** First wait; it doubles each time, up to 30 s. Each wait is between half of that and one and a half times that. */
  readonly firstDelayMs: number;
  /** Whether a retry may help. */
  readonly isPassing: (error: unknown) => boolean;
  /** How long the other side asks to wait. */
  readonly askedDelayMs?: (error: unknown) => number | undefined;
  /** Ends the wait for the next attempt; the attempt under way must end by it too. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each failure that will be retried, before the wait. */
  readonly onRetry?: ((error: unknown, waitMs: number) => void) | undefined;
}

const LONGEST_DELAY_MS = 30_000;

/**
 * Retries `work` while it fails for passing reasons. `work` calls `noteProgress` when it has got on: failures before that
 * no longer count. Rejects with the last error, or with the signal's reason.
 */
export async function retrying<Result>(
  { attempts, firstDelayMs, isPassing, askedDelayMs, signal, onRetry }: RetryPolicy,
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
      const waitMs = Math.min(LONGEST_DELAY_MS, Math.max(backoffMs, askedDelayMs?.(error) ?? 0));
      onRetry?.(error, waitMs);
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
    }
  }
}

const NETWORK_CODE =
  /^(UND_ERR_(?!ABORTED|INVALID|DESTROYED|CLOSED)|ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EPIPE|EHOST|ENET|HPE_)/;

/** Whether an error is one of the network, by its code: a connection that broke or was not made. */
export function isNetworkError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && NETWORK_CODE.test(String(error.code));
}
