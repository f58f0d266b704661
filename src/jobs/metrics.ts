import type { Metrics } from '../metrics.ts';
import { BATCH_STATUSES } from './batches/batch-record.ts';
import type { JobsDir } from './jobs-dir.ts';
import { JOB_STATUSES } from './job-board.ts';

/** Sets the gauges of what is in JOBS_DIR, before a scrape. */
export function refreshJobGauges(
  { storedJobs, jobStoreBytes, batches, fileStoreBytes }: Gauges,
  { jobs, batches: { records, files } }: JobsDir,
): void {
  const counts = jobs.count();
  for (const status of JOB_STATUSES) storedJobs.set({ status }, counts.get(status) ?? 0);
  jobStoreBytes.set(jobs.usedBytes);
  for (const status of BATCH_STATUSES) batches.set({ status }, records.counts.get(status) ?? 0);
  fileStoreBytes.set(files.usedBytes);
}

type Gauges = Pick<Metrics, 'storedJobs' | 'jobStoreBytes' | 'batches' | 'fileStoreBytes'>;
