import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { findGpus } from '../../src/lanes/cuda.ts';
import { Carpool } from './carpool.ts';

const skip = findGpus().length > 0 ? 'this machine has a GPU' : false;

for (const device of ['cuda', 'cuda:1'])
  test(
    `DEVICE=${device} without CUDA: exit code 1, and what is missing in words`,
    { skip, timeout: 60_000 },
    async () => {
      await using carpool = Carpool.spawn({ DEVICE: device });
      assert.deepEqual(await carpool.exit(), { code: 1, signal: null });
      assert.match(
        carpool.stderr,
        new RegExp(
          `The server could not start:\\nDEVICE=${device}: .*CUDA provider is not installed: .npm run install-cuda. installs it.*shows no NVIDIA device`,
        ),
      );
      assert.ok(!carpool.logs.some((line) => line['msg'] === 'server is ready'));
    },
  );

test('DEVICE=auto without CUDA serves on the CPU and says so', { skip, timeout: 60_000 }, async () => {
  await using carpool = await Carpool.start({ DEVICE: 'auto', MODELS: 'square' });
  assert.deepEqual((await carpool.post('/predict', { data: 12 })).body, { result: 144 });
  const { body } = await carpool.get('/info');
  const { plan, models } = body as { plan: { lanes: number; why: string }; models: { devices: string[] }[] };
  assert.ok(plan.lanes >= 1);
  assert.match(plan.why, /no NVIDIA device/);
  assert.deepEqual(models[0]?.devices, ['cpu']);
  const chosen = carpool.logs.find((line) => line['msg'] === 'lanes chosen');
  assert.equal(chosen?.['why'], plan.why);
});

/** The number of a policy in proc(5). */
const SCHED_OTHER = 0;
const SCHED_BATCH = 3;

test(
  'lanes give way to the main thread',
  { skip: process.platform === 'linux' ? false : 'niceness is a thread of its own only on Linux' },
  async () => {
    await using carpool = await Carpool.start({ MODELS: 'square' });
    const tasks = `/proc/${carpool.process.pid ?? 0}/task`;
    const threads = readdirSync(tasks).map((id) => {
      // proc(5): the fields after the name in brackets begin with the third; nice is the 19th.
      const fields = readFileSync(`${tasks}/${id}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return { main: Number(id) === carpool.process.pid, nice: Number(fields[16]), policy: Number(fields[38]) };
    });
    // The test itself may run with a niceness of its own.
    const own = getPriority(0);
    assert.deepEqual(
      threads.filter(({ main }) => main),
      [{ main: true, nice: own, policy: SCHED_OTHER }],
    );
    const hasChrt = spawnSync('chrt', ['--version']).status === 0;
    assert.ok(threads.some(({ nice, policy }) => nice > own && (policy === SCHED_BATCH || !hasChrt)));
  },
);

test('ONNX Runtime sends no reports: it leaves no file of its telemetry behind', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-telemetry-'));
  try {
    await using carpool = await Carpool.start({ MODELS: 'square', TMPDIR: folder });
    assert.equal((await carpool.post('/predict', { data: 2 })).status, 200);
    assert.deepEqual(await readdir(folder), []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
