import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import '../../no-sdk-warning.ts';
import { within } from '../../transfer/limit.ts';
import { retrying, type RetryPolicy } from '../../transfer/retry.ts';
import { askedDelayMs, isPassing, PassingError } from './errors.ts';

export interface S3Tuning {
  /** Of an upload's parts and a download's ranges. */
  readonly partBytes: number;
  /** Parts and ranges at one time, of all transfers together. */
  readonly parallel: number;
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly connectMs: number;
  /** Longest silence of a connection. */
  readonly silenceMs: number;
  /** Longest time for an attempt: a part, or an answer without a body. */
  readonly attemptMs: number;
  /** A range that brings less than 16 KiB in this time is asked for again. */
  readonly paceMs: number;
}

/** Parts of 10 MiB, 10 at one time, as SaladCloud recommends. https://docs.salad.com */
export const S3_TUNING: S3Tuning = {
  partBytes: 10 * 1024 * 1024,
  parallel: 10,
  attempts: 8,
  firstDelayMs: 300,
  connectMs: 10_000,
  silenceMs: 60_000,
  attemptMs: 300_000,
  paceMs: 30_000,
};

export interface S3Options {
  /** '' for Amazon's. */
  readonly endpoint: string;
  /** Where the bucket's name stands in the URL; `auto`: in the path, except at Amazon. */
  readonly addressing: 'auto' | 'path' | 'host';
  readonly tuning: S3Tuning;
  readonly onRetry?: (() => void) | undefined;
}

/** Any S3 that is not Amazon's takes any region; most take this one. */
const DEFAULT_REGION = 'us-east-1';

/** The SDK, which takes 150 ms to load, is loaded only where S3 is used. */
export type Sdk = typeof import('@aws-sdk/client-s3');

export interface S3Connection {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

const quiet = (): void => undefined;

/** Credentials, region and profile come from the SDK's own variables and files. */
export async function connectS3({ endpoint, addressing, tuning }: S3Options): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3');
  const isAmazon = endpoint === '' || /\.amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
  // Transfers have a limit of their own; a call that waited for a connection would count as one that cannot be made.
  const agent = { keepAlive: true, maxSockets: Infinity };
  const config: S3ClientConfig = {
    ...(endpoint === '' ? {} : { endpoint }),
    forcePathStyle: addressing === 'path' || (addressing === 'auto' && !isAmazon),
    region: await regionOf(sdk),
    // It writes to the console of failures that are retried here.
    logger: { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
    // Attempts are counted here, for all calls alike: the SDK cannot send a stream twice.
    maxAttempts: 1,
    // Each body is signed with its SHA-256, which every S3 checks; other checksums are refused by some.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It takes a connection of its own for each part, and a round trip; R2 does not know it.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: tuning.connectMs,
      socketTimeout: tuning.silenceMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
  };
  return { sdk, client: new sdk.S3Client(config) };
}

async function regionOf({ S3Client }: Sdk): Promise<string> {
  const asking = new S3Client({});
  try {
    return await asking.config.region();
  } catch {
    return DEFAULT_REGION;
  } finally {
    asking.destroy();
  }
}

/** How calls are retried. */
export function s3Retry({ tuning, onRetry }: S3Options, signal: AbortSignal | undefined): RetryPolicy {
  const { attempts, firstDelayMs } = tuning;
  return { attempts, firstDelayMs, signal, isPassing, askedDelayMs, onRetry };
}

/** Makes a call with a limit for each attempt, and retries it. `call` must end by its signal. */
export function tryAgain<Result>(
  options: S3Options,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const late = (): Error => new PassingError('the storage takes too long');
  return retrying(s3Retry(options, signal), () => within({ signal, limitMs: options.tuning.attemptMs, late }, call));
}
