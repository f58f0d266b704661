import type { Metrics } from '../metrics.ts';
import type { StorageEvents } from './counted.ts';

/** The rate of less is that of requests. */
const LEAST_BYTES = 1_000_000;

/** Counts what a storage does. */
export function countStorage(
  metrics: Pick<Metrics, 'storageBytes' | 'storageCalls' | 'storageSeconds' | 'storageRate' | 'storageRetries'>,
): StorageEvents {
  return {
    moved: (scheme, direction, bytes) => metrics.storageBytes.inc({ scheme, direction }, bytes),
    retried: (scheme) => metrics.storageRetries.inc({ scheme }),
    ended({ scheme, operation, outcome, seconds, direction, bytes }) {
      metrics.storageCalls.inc({ scheme, operation, outcome });
      metrics.storageSeconds.observe({ scheme, operation }, seconds);
      if (direction !== undefined && outcome === 'ok' && bytes >= LEAST_BYTES)
        metrics.storageRate.observe({ scheme, direction }, bytes / seconds);
    },
  };
}
