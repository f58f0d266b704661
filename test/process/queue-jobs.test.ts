import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { natsQueue } from '../../tools/queues/nats.ts';
import type { RealQueue } from '../../tools/queues/real-queue.ts';
import { redisQueue } from '../../tools/queues/redis.ts';
import { freePort } from '../free-port.ts';
import { withoutNats } from '../jobs/nats/nats-server.ts';
import { withoutRedis } from '../jobs/redis/redis-server.ts';
import { until } from '../until.ts';
import { Carpool } from './carpool.ts';

const QUEUES = [
  { name: 'redis', open: redisQueue, skip: withoutRedis },
  { name: 'nats', open: natsQueue, skip: withoutNats },
];

/** Of docs/jobs.md; compiled tests lie two levels below the repository's root. */
const JOB_MAP_EXAMPLE = fileURLToPath(new URL('../../../examples/job-map/map.js', import.meta.url));

function start(t: TestContext, env: Readonly<Record<string, string>>, command = 'work'): Carpool {
  const server = Carpool.spawn({ MODELS: 'square', ...env }, command);
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

async function rig(t: TestContext, open: () => Promise<RealQueue>) {
  const queue = await open();
  t.after(() => queue.stop());
  let sent = 0;
  return {
    queue,
    start: (env: Readonly<Record<string, string>> = {}, command?: string) =>
      start(t, { ...queue.env(queue.port), ...env }, command),
    send: (data: number) => {
      const job = { custom_id: `r${data}`, url: '/predict/square', body: { data } };
      return queue.send(JSON.stringify(job), String((sent += 1)));
    },
  };
}

/** The result of a job, once it is there. */
async function resultOf(queue: RealQueue, id: string): Promise<Result> {
  const line = await until(`the result of job ${id}`, () => queue.result(id));
  return JSON.parse(line) as Result;
}

interface Result {
  readonly custom_id: string;
  readonly response: { readonly body: unknown };
}

for (const { name, open, skip } of QUEUES) {
  test(`${name}: a worker answers jobs, and probes, but no requests; it ends in order`, { skip }, async (t) => {
    const { queue, start, send } = await rig(t, open);
    const worker = start();
    worker.port = Number((await worker.log((line) => line['msg'] === 'listening'))['port']);
    await worker.log((line) => line['msg'] === 'pulling jobs');
    const { custom_id, response } = await resultOf(queue, await send(7));
    assert.equal(custom_id, 'r7');
    assert.deepEqual(response.body, { result: 49 });
    assert.equal((await worker.get('/ready')).status, 200);
    const { status, body } = await worker.post('/predict/square', { data: 1 });
    assert.equal(status, 403);
    assert.match((body as { error: string }).error, /takes jobs from its queue only/);
    assert.equal(await worker.metric('carpool_jobs_total', { source: name, outcome: 'answered' }), 1);
    worker.signal('SIGTERM');
    assert.deepEqual(await worker.exit(), { code: 0, signal: null });
  });

  test(
    `${name}: a server that is stopped gives back what it has not begun, for others at once`,
    { skip },
    async (t) => {
      const { queue, start, send } = await rig(t, open);
      const env = {
        JOB_LEASE_MS: '3600000',
        MODEL_OPTIONS: '{"square":{"batching":{"maxItems":1},"simulate":{"runMs":300}}}',
      };
      const first = start(env, 'serve');
      await first.log((line) => line['msg'] === 'pulling jobs');
      const ids: string[] = [];
      for (let data = 0; data < 6; data += 1) ids.push(await send(data));
      await resultOf(queue, ids[0] ?? '');
      first.signal('SIGTERM');
      assert.deepEqual(await first.exit(), { code: 0, signal: null });
      start({ ...env, MODEL_OPTIONS: '{}' });
      for (const id of ids) await resultOf(queue, id);
      // A result is stored before its job is taken off the queue.
      await until('an empty queue', async () => (await queue.jobs()) === 0 || undefined);
    },
  );

  test(`${name}: messages of another system are mapped to jobs, or are dead letters`, { skip }, async (t) => {
    const { queue, start } = await rig(t, open);
    const worker = start({ JOB_MAP: JOB_MAP_EXAMPLE });
    const id = await queue.send('{"ticket":17,"number":9}', 'a');
    assert.deepEqual(await resultOf(queue, id), { ticket: 17, square: 81 });
    await queue.send('{"number":9}', 'b');
    await until('the dead letter', async () =>
      (await queue.deadLetters()) === 1 && (await queue.jobs()) === 0 ? true : undefined,
    );
    worker.port = Number((await worker.log((line) => line['msg'] === 'listening'))['port']);
    assert.equal(await worker.metric('carpool_jobs_total', { source: name, outcome: 'unreadable' }), 1);
  });

  test(`${name}: a queue that cannot be reached at start ends the process with its name`, async (t) => {
    const port = await freePort();
    const worker = start(t, {
      JOB_SOURCE: name,
      REDIS_URL: `redis://127.0.0.1:${port}`,
      NATS_URL: `nats://127.0.0.1:${port}`,
    });
    assert.equal((await worker.exit()).code, 1);
    assert.match(worker.stderr, new RegExp(`JOB_SOURCE=${name}: .*refused`, 'i'));
  });
}
