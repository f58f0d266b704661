import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import type { Clock } from '../../../src/core/ticket.ts';
import { BatchSource } from '../../../src/jobs/batches/batch-source.ts';
import { BatchStore } from '../../../src/jobs/batches/batch-store.ts';
import type { BatchRecord, BatchStatus, NewBatch } from '../../../src/jobs/batches/batch-record.ts';
import { FileStore, type FileStoreOptions } from '../../../src/jobs/batches/file-store.ts';
import { Database } from '../../../src/jobs/local/database.ts';
import { JobLoop } from '../../../src/jobs/loop.ts';
import type { ResultKind } from '../../../src/jobs/result.ts';
import { Cancellation } from '../../../src/serving/cancellation.ts';
import type { BatchLine } from '../../../src/jobs/batches/batch-run.ts';
import type { WebhookMessage } from '../../../src/jobs/webhooks/event.ts';

/** Batches on a disk of their own, whose lines the test itself serves. */

export const RUNNING = new AbortController().signal;
export const NEVER_MS = 86_400_000;

export interface Rig {
  readonly folder: string;
  readonly files: FileStore;
  readonly records: BatchStore;
  readonly source: BatchSource;
  readonly told: WebhookMessage[];
  /** Stores an input and a batch of it. */
  add(lines: readonly unknown[], more?: Partial<NewBatch>): Promise<BatchRecord>;
  /** Resolves when a batch has this status. */
  reached(id: string, status: BatchStatus): Promise<BatchRecord>;
  /** The lines of one of its files. */
  read(fileId: string): Promise<{ custom_id: string; error: { code: string } | null }[]>;
  /** Begins to serve lines with a function of their `custom_id`. What it returns stops that in order. */
  serve(run: Serve, most?: number): () => Promise<void>;
  /** Ends as a process does that is killed: nothing is saved. */
  kill(): Promise<void>;
}

/** Undefined: the line was not served. A promise that never resolves: it is being served when the process ends. */
export type Serve = (name: string, cancellation: Cancellation) => Promise<ResultKind | undefined>;

export interface RigOptions {
  readonly folder?: string;
  readonly clock?: Clock;
  readonly now?: () => number;
  readonly files?: Partial<FileStoreOptions>;
  readonly limitLines?: number;
}

export async function batchRig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const folder = options.folder ?? (await mkdtemp(path.join(os.tmpdir(), 'carpool-batches-')));
  if (options.folder === undefined) t.after(() => rm(folder, { recursive: true, force: true }));
  const { clock = systemClock } = options;
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
  const db = await Database.open(folder);
  const told: WebhookMessage[] = [];
  const outbox = { changesOf: () => [], take: (message: WebhookMessage) => void told.push(message) };
  const files = await FileStore.open({
    folder: path.join(folder, 'files'),
    ...{ db, clock, log, limitBytes: 1e8, uploadLimitBytes: 1e7, ttlMs: NEVER_MS },
    ...(options.now === undefined ? {} : { now: options.now }),
    ...options.files,
  });
  const records = await BatchStore.open({ db, files, ttlMs: NEVER_MS, outbox });
  const limits = { lines: options.limitLines ?? 100, lineBytes: 10_000 };
  const source = new BatchSource({ records, files, limits, attempts: 3, clock, log });
  let isDead = false;
  const kill = async (): Promise<void> => {
    isDead = true;
    files.close();
    await db.close();
  };
  t.after(kill);
  return {
    ...{ folder, files, records, source, told, kill },
    serve(run, most = 8) {
      const runner = {
        async run(
          { id: custom_id }: { id: string },
          { cancellation = new Cancellation() }: { cancellation?: Cancellation } = {},
        ) {
          const kind = await run(custom_id, cancellation);
          return kind && { kind, line: Buffer.from(JSON.stringify({ custom_id, error: null })) };
        },
      };
      const loop = new JobLoop<BatchLine>({ source, runner, clock: systemClock, log, most });
      const ended = loop.run();
      ended.catch(() => undefined);
      t.after(() => loop.giveUp());
      return () => {
        loop.giveUp();
        return ended;
      };
    },
    async add(lines, more = {}) {
      const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
      const file = await (await files.receive(piecesOf(text))).keep({ name: 'input.jsonl' });
      return records.add({
        ...{ inputId: file.id, endpoint: '/predict/square', window: '24h', windowMs: NEVER_MS },
        ...{ metadata: null, webhook: null, outputTtlMs: null, ...more },
      });
    },
    async reached(id, status) {
      for (let tries = 0; tries < 6000 && !isDead; tries += 1) {
        const record = await records.find(id);
        if (record.status === status) return record;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`the batch is not ${status} but ${(await records.find(id)).status}`);
    },
    async read(fileId) {
      const text = await readFile(files.pathOf(files.find(fileId).id), 'utf8');
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as never);
    },
  };
}

// eslint-disable-next-line @typescript-eslint/require-await -- its reader takes what comes in time
export async function* piecesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

export const square = (data: unknown, id = `r${String(data)}`) => ({
  custom_id: id,
  method: 'POST',
  url: '/predict/square',
  body: { data },
});

/** Serves every line at once. */
// eslint-disable-next-line @typescript-eslint/require-await -- it stands for work that takes time
export const answerAll: Serve = async () => 'answered';

/** Resolves when work is cancelled. */
export function cancelled(cancellation: Cancellation): Promise<undefined> {
  return new Promise((resolve) => cancellation.add({ cancel: () => resolve(undefined) }));
}
