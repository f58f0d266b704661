import path from 'node:path';
import type { Config } from '../../config/options.ts';
import type { Clock } from '../../core/ticket.ts';
import type { Log } from '../../log.ts';
import type { Database } from '../local/database.ts';
import type { Outbox } from '../webhooks/outbox.ts';
import { BatchSource } from './batch-source.ts';
import { BatchStore } from './batch-store.ts';
import { FileStore } from './file-store.ts';

/** OpenAI's files and batches, kept on the disk of this server. */
export interface Batches {
  readonly files: FileStore;
  readonly records: BatchStore;
  readonly source: BatchSource;
}

export interface BatchesParts {
  readonly config: Config;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly outbox: Outbox;
}

/** Opens them; batches that ran when the last process ended go on when their source is asked. Rejects when the disk cannot be read. */
export async function openBatches({ config, db, clock, log, outbox }: BatchesParts): Promise<Batches> {
  const files = await FileStore.open({
    folder: path.join(config.JOBS_DIR, 'files'),
    limitBytes: config.FILE_STORE_BYTES,
    uploadLimitBytes: config.FILE_LIMIT_BYTES,
    ttlMs: config.FILE_TTL_MS,
    ...{ db, clock, log },
  });
  const records = await BatchStore.open({ db, files, ttlMs: config.FILE_TTL_MS, outbox });
  const limits = { lines: config.BATCH_LINES, lineBytes: config.BODY_LIMIT_BYTES };
  const source = new BatchSource({ records, files, limits, attempts: config.JOB_ATTEMPTS, clock, log });
  return { files, records, source };
}
