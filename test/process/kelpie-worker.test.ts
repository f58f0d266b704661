import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { MockKelpie, type MockJob } from '../jobs/kelpie/mock-api.ts';
import { startImdsStub } from '../salad/imds-stub.ts';
import { Carpool } from './carpool.ts';

const LIMIT = { timeout: 120_000 };

async function rig(t: TestContext, env: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-kelpie-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const [models, input] = [path.join(folder, 'models'), path.join(folder, 'input')];
  for (const one of [models, input]) await mkdir(one);
  const imds = await startImdsStub();
  t.after(() => imds[Symbol.asyncDispose]());
  // The stub's tokens are numbered.
  const mock = await MockKelpie.start({
    keys: ['key', ...Array.from({ length: 1000 }, (_, index) => `token-${index}`)],
  });
  t.after(() => mock[Symbol.asyncDispose]());
  const worker = Carpool.spawn(
    {
      MODELS_DIR: models,
      JOB_SOURCE: 'kelpie',
      JOB_COMMANDS: '/bin/sh',
      KELPIE_API_URL: mock.url,
      KELPIE_POLL_MS: '50',
      SALAD_MACHINE_ID: 'm1',
      SALAD_CONTAINER_GROUP_ID: 'g',
      SALAD_PROJECT_NAME: 'project',
      SALAD_METADATA_URI: imds.uri,
      INPUT_DIR: input,
      OUTPUT_DIR: path.join(folder, 'output'),
      CHECKPOINT_DIR: path.join(folder, 'checkpoint'),
      KELPIE_STATE_FILE: path.join(folder, 'kelpie-state.json'),
      ...env,
    },
    'work',
  );
  t.after(() => worker[Symbol.asyncDispose]());
  /** Prints that it has begun, and waits for its file. */
  const add = (name: string): MockJob =>
    mock.add({
      command: '/bin/sh',
      arguments: ['-c', 'echo begun; until [ -e "$GO" ]; do sleep 0.05; done'],
      environment: { GO: path.join(folder, name) },
      container_group_id: 'g',
      heartbeat_interval: 1,
      sync: {},
    });
  const go = (name: string): Promise<void> => writeFile(path.join(folder, name), '');
  const costs = (): number[] =>
    imds.calls
      .filter(({ method, path: where }) => method === 'PUT' && where === '/v1/deletion-cost')
      .map(({ body }) => (body as { deletion_cost: number }).deletion_cost);
  return { mock, imds, worker, add, go, costs };
}

test(
  'a worker without models runs the jobs of the API, and tells the platform what it would cost to lose it',
  LIMIT,
  async (t) => {
    const { mock, worker, add, go, costs } = await rig(t);
    const [first, second] = [add('first'), add('second')];
    worker.port = Number((await worker.log(({ msg }) => msg === 'listening'))['port']);
    await worker.log(({ msg, jobId }) => msg === 'begun' && jobId === first.id);
    assert.equal((await worker.get('/ready')).status, 200);
    // It rises with the heartbeats.
    await mock.until(() => costs().some((cost) => cost >= 2));
    assert.equal(second.status, 'pending');
    await go('first');
    await mock.until(() => first.status === 'completed');
    await worker.log(({ msg, jobId }) => msg === 'begun' && jobId === second.id);
    await go('second');
    await mock.until(() => second.status === 'completed' && costs().at(-1) === 0);
    assert.ok(mock.reports.every(({ wasIts, machine }) => wasIts && machine === 'm1'));
    assert.match(mock.lastHeaders.authorization ?? '', /^Bearer token-/);
    worker.signal('SIGTERM');
    assert.deepEqual(await worker.exit(), { code: 0, signal: null });
  },
);

test('a job that is cancelled is stopped and not reported, and the next one is run', LIMIT, async (t) => {
  const { mock, worker, add, go } = await rig(t);
  const [first, second] = [add('first'), add('second')];
  await worker.log(({ msg, jobId }) => msg === 'begun' && jobId === first.id);
  mock.cancel(first.id);
  await worker.log(({ msg, jobId }) => msg === 'begun' && jobId === second.id);
  await go('second');
  await mock.until(() => second.status === 'completed');
  assert.equal(first.status, 'canceled');
  assert.ok(mock.reports.every(({ job, what }) => job !== first.id || what === 'heartbeat'));
});

test('a node on which jobs fail is replaced, and the end of the process comes when that does not', LIMIT, async (t) => {
  const { mock, imds, worker } = await rig(t, { KELPIE_API_KEY: 'key', MAX_JOB_FAILURES: '2', FAILED_GRACE_MS: '0' });
  imds.faults.push(...Array<number>(100).fill(403));
  const job = { command: '/bin/sh', arguments: ['-c', 'exit 3'], container_group_id: 'g', sync: {} };
  for (const one of [mock.add(job), mock.add(job)]) await mock.until(() => mock.isBanned('m1', one.id));
  assert.equal((await worker.exit()).signal, 'SIGKILL');
  assert.ok(imds.calls.some(({ path: where }) => where === '/v1/reallocate'));
});
