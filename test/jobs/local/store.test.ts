import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { systemClock } from '../../../src/core/clock.ts';
import { ServerError } from '../../../src/errors.ts';
import { FakeClock } from '../../core/fake-clock.ts';
import { Database } from '../../../src/jobs/local/database.ts';
import type { JobStoreOptions } from '../../../src/jobs/local/store-parts.ts';
import { JobStore } from '../../../src/jobs/local/store.ts';
import type { WebhookMessage } from '../../../src/jobs/webhooks/event.ts';
import type { ResultKind } from '../../../src/jobs/result.ts';

const RUNNING = new AbortController().signal;

async function rig(t: TestContext) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-jobs-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const open = async (more: Partial<JobStoreOptions> = {}): Promise<JobStore & { end: () => Promise<void> }> => {
    const log = { warn: () => undefined } as never;
    const limits = { limitBytes: 1e6, attempts: 2, resultTtlMs: 60_000 };
    const outbox = { changesOf: () => [], take: () => undefined };
    const db = more.db ?? (await Database.open(folder));
    const store = await JobStore.open({ db, ...limits, clock: systemClock, log, outbox, ...more });
    const end = async (): Promise<void> => {
      store.close();
      await db.close();
    };
    t.after(end);
    return Object.assign(store, { end });
  };
  return { folder, open };
}

const job = (text: string, key: string | null = null, priority = 2) => ({
  bytes: Buffer.from(text),
  customId: key,
  key,
  priority,
  webhook: null,
});
const result = (kind: ResultKind) => ({ kind, line: Buffer.from(`"${kind}"`) });
const code = (expected: string) => (error: unknown) => error instanceof ServerError && error.code === expected;

test('jobs are begun by priority, and their results are there after a restart', async (t) => {
  const { open } = await rig(t);
  const store = await open();
  const { id: late } = await store.add(job('late', null, 3));
  const { id: first } = await store.add(job('first', null, 1));
  const begun = await store.begin(5, RUNNING);
  assert.deepEqual(
    begun.map(({ record }) => record.id),
    [first, late],
  );
  assert.equal(Buffer.from(begun[0]?.bytes ?? []).toString(), 'first');
  await store.finish(first, result('answered'));
  await store.end();
  const again = await open();
  assert.equal((await again.find(first)).status, 'completed');
  assert.equal(Buffer.from((await again.resultOf(first)) ?? []).toString(), '"answered"');
  assert.equal((await again.find(late)).status, 'waiting');
  assert.deepEqual(
    (await again.list({ most: 1 })).jobs.map(({ id }) => id),
    [first],
  );
  assert.deepEqual(
    (await again.list({ most: 5, after: first })).jobs.map(({ id }) => id),
    [late],
  );
});

test('a job during which the server ends too often is not tried again', async (t) => {
  const { open } = await rig(t);
  const store = await open({ attempts: 1 });
  const { id } = await store.add(job('poison'));
  await store.begin(1, RUNNING);
  await store.end();
  const again = await open({ attempts: 1 });
  assert.equal((await again.find(id)).status, 'failed');
  assert.match(Buffer.from((await again.resultOf(id)) ?? []).toString(), /server_lost/);
});

test('a key is of one job, however many send it at a time, and of one message', async (t) => {
  const { open } = await rig(t);
  const store = await open();
  const records = await Promise.all([store.add(job('a', 'k')), store.add(job('a', 'k')), store.add(job('a', 'k'))]);
  assert.equal(new Set(records.map(({ id }) => id)).size, 1);
  await assert.rejects(store.add(job('b', 'k')), code('INVALID_INPUT'));
});

test('of a cancel and an end at the same time one counts', async (t) => {
  const { open } = await rig(t);
  const store = await open();
  const { id } = await store.add(job('a'));
  await store.begin(1, RUNNING);
  const ends = [store.cancel(id), store.finish(id, result('answered')), store.giveBack(id, 0)];
  await Promise.all(ends);
  assert.equal((await store.find(id)).status, 'cancelled');
  assert.equal(await store.resultOf(id), undefined);
  await store.cancel(id);
  await assert.rejects(store.find(id), code('NOT_FOUND'));
  assert.equal(store.usedBytes, 0);
});

test('a full store takes no more jobs until one is deleted, and old ones are forgotten', async (t) => {
  const { open } = await rig(t);
  let nowMs = 1000;
  const store = await open({ limitBytes: 6000, now: () => nowMs });
  const { id } = await store.add(job('a'.repeat(1000)));
  await assert.rejects(store.add(job('b'.repeat(1000))), code('QUEUE_FULL'));
  await store.begin(1, RUNNING);
  await store.finish(id, result('answered'));
  await store.add(job('b'.repeat(1000)));
  nowMs += 60_000;
  await store.sweep();
  await assert.rejects(store.find(id), code('NOT_FOUND'));
});

test('a disk that is full refuses jobs, and takes them again when it has room', async (t) => {
  const { folder, open } = await rig(t);
  let isFull = false;
  const levelOf = (at: string): ClassicLevel<string, Uint8Array> => {
    const level = new ClassicLevel<string, Uint8Array>(at, { valueEncoding: 'view' });
    const batch = level.batch.bind(level) as (...args: unknown[]) => never;
    level.batch = (...args: unknown[]): never => {
      if (isFull) throw Object.assign(new Error('No space left on device'), { code: 'ENOSPC' });
      return batch(...args);
    };
    return level;
  };
  const store = await open({ db: await Database.open(folder, levelOf) });
  const { id } = await store.add(job('a'));
  await store.begin(1, RUNNING);
  isFull = true;
  await assert.rejects(store.add(job('b', 'k')), code('STORAGE_UNAVAILABLE'));
  await assert.rejects(store.finish(id, result('answered')), code('STORAGE_UNAVAILABLE'));
  assert.equal((await store.find(id)).status, 'running');
  isFull = false;
  await store.finish(id, result('answered'));
  await store.add(job('b', 'k'));
  assert.equal((await store.find(id)).status, 'completed');
});

test('jobs are listed by status in pages, and a job that failed waits before it is begun again', async (t) => {
  const { open } = await rig(t);
  const clock = new FakeClock();
  let nowMs = 1_000_000;
  const store = await open({ clock, now: () => nowMs });
  const ids: string[] = [];
  for (const text of ['a', 'b', 'c', 'd', 'e']) ids.push((await store.add(job(text))).id);
  const [a = '', b = ''] = ids;
  await store.begin(2, RUNNING);
  await store.finish(a, result('answered'));
  await store.finish(b, result('failed'));
  const { jobs: first } = await store.list({ most: 2, status: 'waiting' });
  const { jobs: second } = await store.list({ most: 5, status: 'waiting', after: first[1]?.id });
  assert.deepEqual(
    [...first, ...second].map(({ id }) => id),
    ids.slice(1).reverse(),
  );
  assert.deepEqual(
    (await store.list({ most: 5, status: 'completed' })).jobs.map(({ id }) => id),
    [a],
  );
  assert.equal((await store.begin(9, RUNNING)).length, 3);
  const again = store.begin(9, RUNNING);
  nowMs += 2000;
  await clock.advance(2000);
  const [begun] = await again;
  assert.equal(begun?.record.id, b);
  assert.equal(begun.record.attempts, 2);
});

test('a waiting job is told of its end where it says, and the message is stored with that', async (t) => {
  const { open } = await rig(t);
  const told: WebhookMessage[] = [];
  const stored: WebhookMessage[] = [];
  const outbox = {
    changesOf: (message: WebhookMessage) => {
      stored.push(message);
      return [{ type: 'put', key: `hook/${message.id}`, value: Buffer.from('{}') }] as const;
    },
    take: (message: WebhookMessage) => void told.push(message),
  };
  const store = await open({ outbox });
  const { id } = await store.add({ ...job('a', 'k'), webhook: 'https://example.com/hook' });
  await store.begin(1, RUNNING);
  await store.finish(id, result('answered'));
  assert.deepEqual(told, stored);
  const { type, data } = JSON.parse(told[0]?.body ?? '') as { type: string; data: unknown };
  assert.equal(type, 'job.completed');
  assert.deepEqual(data, { id, custom_id: 'k', status: 'completed', result: 'answered' });
});
