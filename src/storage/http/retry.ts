import { ServerError } from '../../errors.ts';
import { retrying as retryingAll, type RetryPolicy } from '../../transfer/retry.ts';
import { StorageError } from '../storage.ts';

/** A failure that may pass: the request is tried again. */
export class Passing extends Error {
  /** How long the server asks to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** How often and when a request is tried again. */
export type HttpRetry = Pick<RetryPolicy, 'attempts' | 'firstDelayMs' | 'onRetry'>;

/**
 * Does the work, and again while it fails for reasons that may pass: all but StorageErrors and refusals of the guard. `work` calls `noteProgress` when it
 * has got on; failures before that no longer count. Rejects with UNAVAILABLE after all tries, with `shown` for the place, and with the signal's reason.
 */
export async function retrying<Result>(
  shown: string,
  { attempts, firstDelayMs, onRetry, signal }: HttpRetry & { readonly signal: AbortSignal },
  work: (noteProgress: () => void) => Promise<Result>,
): Promise<Result> {
  try {
    return await retryingAll({ attempts, firstDelayMs, onRetry, signal, isPassing, askedDelayMs }, work);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ServerError) throw new StorageError('BAD_PLACE', `${shown}: ${error.message}`);
    if (error instanceof StorageError) throw error;
    throw new StorageError('UNAVAILABLE', `${shown}: ${reasonOf(error)}`, { cause: error });
  }
}

function isPassing(error: unknown): boolean {
  return !(error instanceof StorageError) && !(error instanceof ServerError);
}

function askedDelayMs(error: unknown): number | undefined {
  return error instanceof Passing ? error.retryAfterMs : undefined;
}

/** The codes of the network's errors say what happened, and their messages may hold addresses. */
function reasonOf(error: unknown): string {
  if (error instanceof Passing) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === '' ? 'it cannot be reached' : `it cannot be reached (${code})`;
}
