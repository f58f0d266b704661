import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { natsQueue } from '../../tools/queues/nats.ts';
import type { RealQueue } from '../../tools/queues/real-queue.ts';
import { redisQueue } from '../../tools/queues/redis.ts';
import { withoutNats } from '../jobs/nats/nats-server.ts';
import { withoutRedis } from '../jobs/redis/redis-server.ts';
import { until } from '../until.ts';
import { Carpool } from './carpool.ts';

const QUEUES = [
  { name: 'redis', open: redisQueue, skip: withoutRedis },
  { name: 'nats', open: natsQueue, skip: withoutNats },
];
const SQUARE = '/predict/square';

async function rig(t: TestContext, open: () => Promise<RealQueue>) {
  const queue = await open();
  t.after(() => queue.stop());
  const start = async (more: Readonly<Record<string, string>> = {}): Promise<Carpool> => {
    const env = { MODELS: 'square', JOB_LEASE_MS: '2000', JOB_ATTEMPTS: '20', ...queue.env(queue.port), ...more };
    const server = await Carpool.start(env);
    t.after(() => server[Symbol.asyncDispose]());
    await server.log((line) => line['msg'] === 'pulling jobs');
    return server;
  };
  return { queue, start };
}

async function send(server: Carpool, data: number): Promise<string> {
  const { status, body } = await server.post('/v1/jobs', { custom_id: `r${data}`, url: SQUARE, body: { data } });
  assert.equal(status, 202, JSON.stringify(body));
  return (body as { id: string }).id;
}

interface View {
  readonly status: string;
  readonly result: { readonly custom_id: string; readonly response: { readonly body: unknown } } | null;
}

const view = async (server: Carpool, id: string): Promise<View> => (await server.get(`/v1/jobs/${id}`)).body as View;

/** Once it has ended. */
const ended = (server: Carpool, id: string): Promise<View> =>
  until(`the end of job ${id}`, async () => {
    const job = await view(server, id);
    return job.status === 'waiting' || job.status === 'running' ? undefined : job;
  });

for (const { name, open, skip } of QUEUES) {
  test(`${name}: what one server has accepted another answers, though the first is killed`, { skip }, async (t) => {
    const { queue, start } = await rig(t, open);
    const first = await start({ MODEL_OPTIONS: '{"square":{"simulate":{"runMs":200}}}' });
    const ids = await Promise.all(Array.from({ length: 40 }, (_, data) => send(first, data)));
    await first[Symbol.asyncDispose]();
    const second = await start();
    for (const [data, id] of ids.entries()) {
      const { status, result } = await ended(second, id);
      assert.equal(status, 'completed');
      assert.deepEqual([result?.custom_id, result?.response.body], [`r${data}`, { result: data * data }]);
      // Sending it again finds it.
      assert.equal(await send(second, data), id);
    }
    await until('an empty queue', async () => (await queue.jobs()) === 0 || undefined);
  });

  test(`${name}: a job is cancelled at another server; none is listed, and JOBS_DIR gets none`, { skip }, async (t) => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-jobs-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const { start } = await rig(t, open);
    const slow = { MODEL_OPTIONS: '{"square":{"batching":{"maxItems":1},"simulate":{"runMs":20000}}}', LANES: '1' };
    const first = await start({ ...slow, JOBS_DIR: folder });
    const second = await start(slow);
    const id = await send(first, 7);
    await until('a running job', async () => (await view(second, id)).status === 'running' || undefined);
    const cancelled = (await (await fetch(`${second.url}/v1/jobs/${id}`, { method: 'DELETE' })).json()) as View;
    assert.equal(cancelled.status, 'cancelled');
    assert.equal((await view(first, id)).status, 'cancelled');
    await until('an idle server', async () => {
      const held = [first, second].map((server) => server.metric('carpool_jobs_held', { source: name }));
      return (await Promise.all(held)).every((jobs) => jobs === 0) || undefined;
    });
    assert.equal((await view(first, id)).result, null);
    assert.equal((await first.get('/v1/jobs')).status, 400);
    assert.equal(await first.metric('carpool_stored_jobs', { status: 'waiting' }), 0);
  });
}
