import { retryAfterMs } from '../../retry-after.ts';
import { isNetworkError } from '../../transfer/retry.ts';
import { StorageError, type StorageErrorKind } from '../storage.ts';

/** What the errors of the SDK have that is of use; the rest (signatures, key ids) goes nowhere. */
interface S3Failure {
  readonly name: string;
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** By the date of the answer the clock is wrong, and the SDK has corrected it for the next request. */
  readonly isClockCorrected: boolean;
}

/** Refusals that pass though their status does not say so: damage on the way, a clock that the SDK corrects by the answer, a token that it renews. */
const PASSING: ReadonlySet<string> = new Set([
  'BadDigest',
  'ExpiredToken',
  'IncompleteBody',
  'InternalError',
  'OperationAborted',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'SlowDown',
  'ThrottlingException',
  'TimeoutError',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
]);

/** What the SDK calls an error without a code. */
const NO_CODE = 'Unknown';

const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 409, 425, 429]);

const KINDS: ReadonlyMap<number, StorageErrorKind> = new Map([
  [401, 'FORBIDDEN'],
  [403, 'FORBIDDEN'],
  [404, 'NOT_FOUND'],
  [412, 'CHANGED'],
  [413, 'TOO_LARGE'],
  [501, 'NOT_SUPPORTED'],
]);

const KINDS_BY_NAME: ReadonlyMap<string, StorageErrorKind> = new Map([
  ['EntityTooLarge', 'TOO_LARGE'],
  ['InvalidBucketName', 'BAD_PLACE'],
  ['KeyTooLongError', 'BAD_PLACE'],
]);

/** An attempt that failed for a reason that passes: it took too long, or its bytes were fewer or others than they should be. */
export class PassingError extends Error {}

/** Whether a retry may help. */
export function isPassing(error: unknown): boolean {
  if (error instanceof StorageError) return false;
  if (error instanceof PassingError || isNetworkError(error)) return true;
  const { name, status = 0, isClockCorrected } = failureOf(error);
  // An answer to HEAD has no body, and so no code that says it is the clock.
  if (status === 403 && name === NO_CODE && isClockCorrected) return true;
  return PASSING.has(name) || PASSING_STATUSES.has(status) || (status >= 500 && status !== 501);
}

/** How long the storage asks to wait. */
export function askedDelayMs(error: unknown): number | undefined {
  return retryAfterMs(failureOf(error).headers['retry-after']);
}

export function statusOf(error: unknown): number | undefined {
  return failureOf(error).status;
}

/** The StorageError of a failure, or the error itself if it comes from the disk. The SDK's own is no cause of it: it has key ids and signed requests. */
export function toStorageError(error: unknown, place: string): Error {
  if (error instanceof StorageError) return error;
  if (error instanceof PassingError) return new StorageError('UNAVAILABLE', `${place}: ${error.message}`);
  const failure = failureOf(error);
  const { name, status } = failure;
  if (name === 'CredentialsProviderError')
    return new StorageError(
      'FORBIDDEN',
      `${place}: there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
    );
  if (status !== undefined) return new StorageError(...refusalOf(failure, place));
  if (isNetworkError(error) || name === 'TimeoutError')
    return new StorageError('UNAVAILABLE', `${place}: the storage cannot be reached (${codeOf(error) ?? name})`);
  return error instanceof Error ? error : new Error(String(error));
}

function refusalOf({ name, status = 0, headers }: S3Failure, place: string): [StorageErrorKind, string] {
  const region = headers['x-amz-bucket-region'];
  if (status === 301 || (status === 400 && region !== undefined) || name === 'AuthorizationHeaderMalformed')
    return [
      'BAD_PLACE',
      `${place}: the bucket is in ${region === undefined ? 'another region' : `region ${region}`}: set AWS_REGION`,
    ];
  const kind = KINDS_BY_NAME.get(name) ?? KINDS.get(status) ?? 'UNAVAILABLE';
  return [kind, `${place}: the storage answered ${status}${name === '' ? '' : ` (${name})`}`];
}

function failureOf(error: unknown): S3Failure {
  const { name, $metadata, $response } = (error ?? {}) as {
    name?: unknown;
    $metadata?: { httpStatusCode?: number; clockSkewCorrected?: boolean };
    $response?: { headers?: Record<string, string> };
  };
  return {
    // A code of S3 is one word; what else a server may send is not shown.
    name: typeof name === 'string' && /^[A-Za-z0-9]{1,64}$/.test(name) ? name : '',
    status: $metadata?.httpStatusCode,
    headers: $response?.headers ?? {},
    isClockCorrected: $metadata?.clockSkewCorrected === true,
  };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
