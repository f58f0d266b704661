import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { messageIdOf } from '../../../src/jobs/queue-board.ts';
import { RedisBoard, type RedisBoardOptions } from '../../../src/jobs/redis/board.ts';
import { RedisSource, type RedisJob } from '../../../src/jobs/redis/source.ts';
import type { JobResult, ResultKind } from '../../../src/jobs/result.ts';
import { until } from '../../until.ts';
import { assertOnce, walk } from '../listed-jobs.ts';
import { newJob, refusal } from '../new-job.ts';
import { RedisServer, withoutRedis } from './redis-server.ts';

const only = { skip: withoutRedis };
const log = { warn: () => undefined } as never;
const signal = new AbortController().signal;

async function rig(t: TestContext, more: Partial<RedisBoardOptions> = {}) {
  const server = await RedisServer.start(t);
  // What the server asks for where a user lacks permissions must do.
  const rights = '+@read +@write +@scripting +@connection +client|unblock'.split(' ');
  await server.ask('ACL', 'SETUSER', 'jobs', 'on', '>secret', '~{a}', '~{a}:*', ...rights);
  const url = server.url.replace('//', '//jobs:secret@');
  const shared = { url, queue: '{a}', leaseMs: 60_000, resultTtlMs: 60_000, log, ...more };
  const open = async () => {
    const board = await RedisBoard.open({ ...shared, limit: 1000, outbox: { send: () => undefined } });
    t.after(() => board.close());
    return board;
  };
  const source = await RedisSource.open({ ...shared, attempts: 3 });
  t.after(() => source.close().catch(() => undefined));
  return { server, source, board: await open(), other: await open() };
}

const result = (kind: ResultKind): JobResult => ({ kind, line: Buffer.from(`"${kind}"`) });

async function addJobs(board: RedisBoard, count: number, owner = 'ann'): Promise<string[]> {
  const ids: string[] = [];
  for (let data = 0; data < count; data += 1) ids.push((await board.add(newJob(`{"a":${data}}`, { owner }))).id);
  return ids;
}

/** So many jobs, in the order of the queue. */
async function claim(source: RedisSource, count: number): Promise<RedisJob[]> {
  const jobs: RedisJob[] = [];
  while (jobs.length < count) jobs.push(...(await source.claim(count - jobs.length, signal)));
  return jobs;
}

test('a key lists its own jobs by status, whichever server took, served or cancelled them', only, async (t) => {
  const { board, other, source } = await rig(t);
  const ids = await addJobs(board, 7);
  await addJobs(board, 1, 'ann:open');
  await board.add(newJob('{}'));
  const [a = '', b = '', c = '', d = '', e = '', f = '', g = ''] = ids;
  const seen = async (status?: 'waiting'): Promise<unknown[]> =>
    (await other.list({ asker: 'ann', most: 100, status })).jobs.map((job) => [ids.indexOf(job.id), job.status]);
  const listed = async (...statuses: string[]): Promise<void> => {
    const expected = statuses.map((status, index) => [index, status]).reverse();
    assert.deepEqual(await seen(), expected);
    for (const status of ['waiting', 'running', 'completed', 'failed', 'cancelled'])
      assert.deepEqual(
        await seen(status as 'waiting'),
        expected.filter(([, one]) => one === status),
      );
    // A job is listed as it is found.
    for (const job of (await other.list({ asker: 'ann', most: 100 })).jobs)
      assert.deepEqual(job, await board.find(job.id));
  };
  await listed(...ids.map(() => 'waiting'));
  const jobs = await claim(source, 5);
  await listed('running', 'running', 'running', 'running', 'running', 'waiting', 'waiting');
  const [first, second, third, fourth] = jobs;
  assert.ok(first && second && third && fourth);
  await source.done(first, result('answered'));
  await source.done(second, result('refused'));
  await source.done(third, result('unreadable'));
  await source.giveBack(fourth, 60_000);
  await board.cancel(e);
  await other.cancel(g);
  await listed('completed', 'failed', 'failed', 'waiting', 'cancelled', 'waiting', 'cancelled');
  await other.cancel(g);
  await board.cancel(b);
  assert.deepEqual(await walk(board, { asker: 'ann', most: 2 }), [f, e, d, c, a]);
  assert.deepEqual((await board.list({ asker: 'ben', most: 9 })).jobs, []);
});

test('pages neither repeat nor skip a job while others come and end', only, async (t) => {
  const { board, other, source } = await rig(t);
  const sent = await addJobs(board, 60);
  let turn = 0;
  const gone = new Set<string>();
  for (const most of [1, 7, 60]) {
    const there = new Set(sent.filter((id) => !gone.has(id)));
    const listed = await walk(other, { asker: 'ann', most }, async () => {
      turn += 1;
      if (turn % 3 === 0) sent.push(...(await addJobs(board, 2)));
      const [job] = turn % 4 === 0 ? await claim(source, 1) : [];
      if (job !== undefined && turn % 8 === 0) await source.done(job, result(turn % 16 === 0 ? 'answered' : 'refused'));
      const away = sent[(turn * 11) % sent.length] ?? '';
      if (turn % 5 !== 0 || gone.has(away)) return;
      // One that has ended is forgotten; others are cancelled before.
      if ((await board.find(away)).endedMs === null) await board.cancel(away);
      await board.cancel(away);
      gone.add(away);
      there.delete(away);
    });
    assertOnce(listed, [...there], sent);
  }
  assert.ok(gone.size > 3 && sent.length > 80);
});

test('a page that has looked at many jobs in vain ends, and tells where to go on', only, async (t) => {
  const { board, source } = await rig(t);
  const sent = await addJobs(board, 63);
  const jobs = await claim(source, 63);
  for (const job of jobs.slice(0, 3)) await source.giveBack(job, 60_000);
  const page = await board.list({ asker: 'ann', most: 2, status: 'waiting' });
  assert.deepEqual([page.jobs.length, page.after], [0, sent.at(-10)]);
  assert.deepEqual(await walk(board, { asker: 'ann', most: 2, status: 'waiting' }), sent.slice(0, 3).reverse());
  // What nobody has claimed is not looked at for those that run.
  sent.push(...(await addJobs(board, 30)));
  const running = await board.list({ asker: 'ann', most: 2, status: 'running' });
  assert.deepEqual(
    running.jobs.map(({ id }) => id),
    [sent[62], sent[61]],
  );
});

test('a list forgets a job when its end is no longer kept, and one that was taken off by hand', only, async (t) => {
  const { board, source, server } = await rig(t, { resultTtlMs: 400 });
  const [ended = '', taken = '', waiting = '', cut = ''] = await addJobs(board, 4);
  const all = { asker: 'ann', most: 9 };
  const [job] = await claim(source, 2);
  assert.ok(job);
  await source.done(job, result('answered'));
  await board.cancel(cut);
  await server.ask('XACK', '{a}', 'carpool', messageIdOf(taken));
  await server.ask('XDEL', '{a}', messageIdOf(taken));
  const left = await until('a list of one job', async () => {
    const ids = await walk(board, all);
    const isKnown = await board.find(ended).then(
      () => true,
      () => false,
    );
    // Both ask at their time: a job that is not found any more is not listed afterwards.
    if (!isKnown) assert.ok(!(await walk(board, all)).includes(ended));
    return ids.length === 1 ? ids : undefined;
  });
  assert.deepEqual(left, [waiting]);
  await board.cancel(waiting);
  // Nothing is left of the list, though nobody asks for it.
  await until('an empty Redis', async () => {
    const keys = (await server.ask('KEYS', '*')) as string[];
    return keys.every((key) => key === '{a}') || undefined;
  });
  await addJobs(board, 2);
  await server.ask('DEL', '{a}');
  assert.deepEqual(await walk(board, all), []);
});

test('ends do not pile up in the list of a key that goes on sending', only, async (t) => {
  const { board, source, server } = await rig(t, { resultTtlMs: 50 });
  for (let round = 0; round < 4; round += 1) {
    await addJobs(board, 8);
    for (const job of await claim(source, 8)) await source.done(job, result('answered'));
    await new Promise((resolve) => setTimeout(resolve, 60));
    const [last = ''] = await addJobs(board, 1);
    await board.cancel(last);
    for (const set of ['completed', 'cancelled', 'ends'])
      assert.ok(Number(await server.ask('ZCARD', `{a}:list:ann:${set}`)) <= 1, set);
  }
});

test('jobs without an owner stand in no list; without keys and with an odd page lists are refused', only, async (t) => {
  const { board, source, server } = await rig(t);
  const { id } = await board.add(newJob('{}'));
  const [job] = await claim(source, 1);
  assert.ok(job);
  await source.done(job, result('answered'));
  await board.cancel(id);
  assert.deepEqual(await server.ask('KEYS', '{a}:list:*'), []);
  const without = await refusal(board.list({ most: 1 }));
  assert.deepEqual([without.code, /API keys/.test(without.message)], ['BAD_REQUEST', true]);
  for (const after of ['x', '', '1-1', `1-${'0'.repeat(32)}`, `x-1-${'0'.repeat(32)}`])
    assert.equal((await refusal(board.list({ asker: 'ann', most: 1, after }))).code, 'BAD_REQUEST', after);
  await server.kill();
  assert.equal((await refusal(board.list({ asker: 'ann', most: 1 }))).code, 'STORAGE_UNAVAILABLE');
});
