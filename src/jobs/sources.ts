import type { Config } from '../config/options.ts';
import type { Log } from '../log.ts';
import type { JobSource } from './source.ts';

/** What opening a source may use. */
export interface SourceParts {
  readonly config: Config;
  readonly log: Log;
}

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
};

/** Opens the source that JOB_SOURCE names. Rejects if it cannot be reached. */
export function openSource(parts: SourceParts): Promise<JobSource> {
  const { JOB_SOURCE } = parts.config;
  const open = SOURCES[JOB_SOURCE];
  if (open === undefined) throw new Error(`there is no source ${JOB_SOURCE}`);
  return open(parts);
}
