import type { RetryPolicy } from '../transfer/retry.ts';
import { HubError, isPassing } from './hub-error.ts';

/** How often and when a request to a hub is tried again. */
export type HubRetry = Omit<RetryPolicy, 'isPassing' | 'askedDelayMs'>;

export function hubRetry(retry: HubRetry): RetryPolicy {
  return {
    ...retry,
    isPassing,
    askedDelayMs: (error) => (error instanceof HubError ? error.retryAfterMs : undefined),
  };
}
