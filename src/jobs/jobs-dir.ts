import type { Config } from '../config/options.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../log.ts';
import { openBatches, type Batches } from './batches/batches.ts';
import { Database } from './local/database.ts';
import { JobStore } from './local/store.ts';
import { Outbox } from './webhooks/outbox.ts';
import { WebhookSender } from './webhooks/sender.ts';
import { webhookKey } from './webhooks/signature.ts';

/** What a server keeps in JOBS_DIR, which is its alone. */
export interface JobsDir {
  readonly jobs: JobStore;
  readonly batches: Batches;
  /** Keeps its messages there. */
  readonly outbox: Outbox;
  close(): Promise<void>;
}

/** Opens JOBS_DIR. Rejects with an Error that says why not. */
export async function openJobsDir(config: Config, log: Log): Promise<JobsDir> {
  const db = await Database.open(config.JOBS_DIR);
  const outbox = await Outbox.open({ db, sender: createSender(config), clock: systemClock, log });
  const jobs = await JobStore.open({
    db,
    limitBytes: config.JOB_STORE_BYTES,
    attempts: config.JOB_ATTEMPTS,
    resultTtlMs: config.JOB_RESULT_TTL_MS,
    clock: systemClock,
    log,
    outbox,
  });
  const batches = await openBatches({ config, db, clock: systemClock, log, outbox });
  return {
    jobs,
    batches,
    outbox,
    async close() {
      jobs.close();
      batches.files.close();
      await db.close();
    },
  };
}

/** Sends webhooks as the configuration allows. */
export function createSender({ WEBHOOK_SECRET, WEBHOOK_HOSTS }: Config): WebhookSender {
  return new WebhookSender({ key: webhookKey(WEBHOOK_SECRET), hosts: WEBHOOK_HOSTS });
}
