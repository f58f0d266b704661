import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createClient } from '@redis/client';
import { RedisServer, withoutRedis } from '../jobs/redis/redis-server.ts';
import { Carpool } from './carpool.ts';

const only = { skip: withoutRedis };
const slow = {
  skip:
    withoutRedis === false && process.env['CARPOOL_SLOW_TESTS'] === undefined
      ? 'CARPOOL_SLOW_TESTS is not set'
      : withoutRedis,
};

async function rig(t: TestContext) {
  const redis = await RedisServer.start(t);
  const start = (env: Readonly<Record<string, string>> = {}, command = 'work'): Carpool => {
    const server = Carpool.spawn(
      { MODELS: 'square', JOB_SOURCE: 'redis', JOB_QUEUE: 'jobs', REDIS_URL: redis.url, JOB_LEASE_MS: '1000', ...env },
      command,
    );
    t.after(() => server[Symbol.asyncDispose]());
    return server;
  };
  const connect = async () => {
    const client = createClient({ url: redis.url, RESP: 2 });
    client.on('error', () => undefined);
    await client.connect();
    t.after(() => client.destroy());
    return client;
  };
  return { redis, start, connect };
}

const square = (data: unknown): string =>
  JSON.stringify({ custom_id: `r${String(data)}`, url: '/predict/square', body: { data } });

/** The result of a message, once it is there. */
async function resultOf(client: { get(key: string): Promise<string | null> }, id: string): Promise<unknown> {
  for (;;) {
    const line = await client.get(`jobs:result:${id}`).catch(() => null);
    if (line !== null) return JSON.parse(line);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test(
  'a worker answers jobs, and probes, but no requests; it finishes what it holds and ends in order',
  only,
  async (t) => {
    const { start, connect } = await rig(t);
    const client = await connect();
    const worker = start();
    worker.port = Number((await worker.log((line) => line['msg'] === 'listening'))['port']);
    await worker.log((line) => line['msg'] === 'pulling jobs');
    const id = await client.xAdd('jobs', '*', { job: square(7) });
    const { custom_id, response } = (await resultOf(client, id)) as { custom_id: string; response: { body: unknown } };
    assert.equal(custom_id, 'r7');
    assert.deepEqual(response.body, { result: 49 });
    assert.equal((await worker.get('/ready')).status, 200);
    const { status, body } = await worker.post('/predict/square', { data: 1 });
    assert.equal(status, 403);
    assert.match((body as { error: string }).error, /takes jobs from its queue only/);
    assert.equal(await worker.metric('carpool_jobs_total', { source: 'redis', outcome: 'answered' }), 1);
    worker.signal('SIGTERM');
    assert.deepEqual(await worker.exit(), { code: 0, signal: null });
  },
);

test('a server that is stopped gives back what it has not begun, for others at once', only, async (t) => {
  const { start, connect } = await rig(t);
  const client = await connect();
  const env = {
    JOB_LEASE_MS: '3600000',
    MODEL_OPTIONS: '{"square":{"batching":{"maxItems":1},"simulate":{"runMs":300}}}',
  };
  const first = start(env, 'serve');
  await first.log((line) => line['msg'] === 'pulling jobs');
  const ids: string[] = [];
  for (let index = 0; index < 6; index += 1) ids.push(await client.xAdd('jobs', '*', { job: square(index) }));
  await resultOf(client, ids[0] ?? '');
  first.signal('SIGTERM');
  assert.deepEqual(await first.exit(), { code: 0, signal: null });
  start({ ...env, MODEL_OPTIONS: '{}' });
  for (const id of ids) await resultOf(client, id);
  assert.equal(await client.xLen('jobs'), 0);
});

test('a queue that cannot be reached at start ends the process with its name', only, async (t) => {
  const { redis, start } = await rig(t);
  await redis.kill();
  const worker = start();
  assert.equal((await worker.exit()).code, 1);
  assert.match(worker.stderr, /JOB_SOURCE=redis: .*ECONNREFUSED/);
});

test('of a thousand jobs none is lost or answered twice, whoever is killed on the way', slow, async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 100_000);
  t.diagnostic(`SEED=${seed}`);
  let state = seed;
  const random = (): number => (state = (state * 48_271 + 11) % 2_147_483_647) / 2_147_483_647;
  const { redis, start, connect } = await rig(t);
  const client = await connect();
  const env = { MODEL_OPTIONS: '{"square":{"batching":{"maxItems":2},"simulate":{"runMs":20}}}' };
  const workers = [start(env), start(env)];
  const ids: string[] = [];
  for (let index = 0; index < 1000; index += 1) ids.push(await client.xAdd('jobs', '*', { job: square(index) }));
  for (let kills = 0; kills < 6; kills += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000 + 1500 * random()));
    if (kills === 3) await redis.restart();
    const index = random() < 0.5 ? 0 : 1;
    workers[index]?.signal('SIGKILL');
    await workers[index]?.exit();
    workers[index] = start(env);
  }
  for (const [index, id] of ids.entries()) {
    const { custom_id, response } = (await resultOf(client, id)) as { custom_id: string; response: { body: unknown } };
    assert.equal(custom_id, `r${index}`);
    assert.deepEqual(response.body, { result: index * index });
  }
  while ((await client.xLen('jobs')) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(((await client.sendCommand(['XPENDING', 'jobs', 'carpool'])) as unknown as [number])[0], 0);
  assert.equal(await client.exists('jobs:dead'), 0);
});
