import type { Config } from '../config/options.ts';
import type { Log } from '../log.ts';
import type { KelpieNode } from './kelpie/credentials.ts';
import type { JobSource } from './source.ts';

/** What opening a source may use. */
export interface SourceParts {
  readonly config: Config;
  readonly log: Log;
  /** The node; absent elsewhere than on SaladCloud. */
  readonly salad?: KelpieNode | undefined;
}

/** What JOB_LEASE_MS 0 stands for. Calls to SQS may hang for a minute or two, and each costs money. */
const LEASES_MS: Readonly<Record<string, number>> = { sqs: 300_000 };
const LEASE_MS = 60_000;

/** The queues that JOB_SOURCE names. Each is loaded only where it is used, because clients of queues are large. */
const SOURCES: Readonly<Record<string, (parts: SourceParts) => Promise<JobSource>>> = {
  async nats({ config, log }) {
    const { NatsSource } = await import('./nats/source.ts');
    return NatsSource.open({
      address: { url: config.NATS_URL, credsFile: config.NATS_CREDS, caFile: config.NATS_CA },
      queue: config.JOB_QUEUE,
      leaseMs: config.JOB_LEASE_MS,
      attempts: config.JOB_ATTEMPTS,
      resultTtlMs: config.JOB_RESULT_TTL_MS,
      log,
    });
  },
  async redis({ config, log }) {
    const { RedisSource } = await import('./redis/source.ts');
    return RedisSource.open({
      url: config.REDIS_URL,
      queue: config.JOB_QUEUE,
      leaseMs: config.JOB_LEASE_MS,
      attempts: config.JOB_ATTEMPTS,
      resultTtlMs: config.JOB_RESULT_TTL_MS,
      log,
    });
  },
  async sqs({ config, log }) {
    const { SqsSource } = await import('./sqs/source.ts');
    return SqsSource.open({
      queue: config.JOB_QUEUE,
      results: config.JOB_RESULTS_QUEUE,
      leaseMs: config.JOB_LEASE_MS,
      attempts: config.JOB_ATTEMPTS,
      log,
    });
  },
  async kelpie(parts) {
    const { openKelpie } = await import('./kelpie/open.ts');
    return openKelpie(parts);
  },
};

/** Opens the source that JOB_SOURCE names. Rejects if it cannot be reached. */
export function openSource({ config, ...parts }: SourceParts): Promise<JobSource> {
  const { JOB_SOURCE } = config;
  const open = SOURCES[JOB_SOURCE];
  if (open === undefined) throw new Error(`there is no source ${JOB_SOURCE}`);
  return open({ ...parts, config: { ...config, JOB_LEASE_MS: leaseOf(config) } });
}

/** How long a claim lasts, in ms. */
export function leaseOf({ JOB_SOURCE, JOB_LEASE_MS }: Config): number {
  return JOB_LEASE_MS || (LEASES_MS[JOB_SOURCE] ?? LEASE_MS);
}
