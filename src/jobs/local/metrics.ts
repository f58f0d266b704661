import type { Metrics } from '../../metrics.ts';
import { JOB_STATUSES } from './record.ts';
import type { JobStore } from './store.ts';

/** Sets the gauges of the store, before a scrape. */
export function refreshJobGauges(
  { storedJobs, jobStoreBytes }: Pick<Metrics, 'storedJobs' | 'jobStoreBytes'>,
  store: Pick<JobStore, 'count' | 'usedBytes'>,
): void {
  const counts = store.count();
  for (const status of JOB_STATUSES) storedJobs.set({ status }, counts.get(status) ?? 0);
  jobStoreBytes.set(store.usedBytes);
}
