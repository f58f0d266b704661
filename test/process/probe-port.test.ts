import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Carpool } from './carpool.ts';

/** Asks again until it holds; the test's own limit ends it. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await sleep(20);
}

interface Ports extends AsyncDisposable {
  readonly carpool: Carpool;
  readonly probe: (name: string) => Promise<{ status: number; body: unknown }>;
}

async function start(env: Record<string, string>): Promise<Ports> {
  const carpool = await Carpool.start({ MODELS: 'square', PROBE_PORT: '0', ...env });
  const { probePort } = await carpool.log((line) => line['msg'] === 'listening');
  return {
    carpool,
    async probe(name) {
      const response = await fetch(`http://127.0.0.1:${Number(probePort)}${name}`);
      return { status: response.status, body: await response.json() };
    },
    [Symbol.asyncDispose]: () => carpool[Symbol.asyncDispose](),
  };
}

/** Environment of a server whose main thread stands still from SIGUSR2 on until `go` is called. */
function withBrake(t: TestContext): { env: Record<string, string>; go: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-brake-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'go');
  const script = path.join(folder, 'brake.mjs');
  writeFileSync(
    script,
    `import { existsSync } from 'node:fs';
     import { isMainThread } from 'node:worker_threads';
     if (isMainThread) process.on('SIGUSR2', () => { while (!existsSync(${JSON.stringify(file)})); });`,
  );
  return { env: { NODE_OPTIONS: `--import=${script}` }, go: () => writeFileSync(file, '') };
}

test(
  'PROBE_PORT answers while the main thread stands still, tells of it within the limits, and of its recovery',
  { timeout: 60_000 },
  async (t) => {
    const brake = withBrake(t);
    await using ports = await start({ ...brake.env, MAIN_STALL_MS: '2000' });
    const { carpool, probe } = ports;
    await until(async () => (await probe('/ready')).status === 200);
    assert.deepEqual(await probe('/health'), { status: 200, body: { live: true } });
    assert.deepEqual(await probe('/started'), { status: 200, body: { started: true } });
    assert.deepEqual(await probe('/health_check'), { status: 200, body: { status: 'ready' } });
    assert.equal((await probe('/predict')).status, 404);

    carpool.signal('SIGUSR2');
    let isMainAnswered = false;
    await until(async () => (await probe('/ready')).status === 503);
    const main = carpool.get('/health').then(() => (isMainAnswered = true));
    assert.deepEqual((await probe('/ready')).body, {
      ready: false,
      why: 'the main thread has stood still for 1 s',
    });
    assert.deepEqual(await probe('/health_check'), { status: 503, body: { status: 'stalled' } });
    assert.equal((await probe('/started')).status, 200);
    await until(async () => (await probe('/health')).status === 503);
    assert.deepEqual((await probe('/v2/health/live')).body, {
      live: false,
      why: 'the main thread has stood still for 2 s',
    });
    assert.equal(isMainAnswered, false);

    brake.go();
    await main;
    await until(async () => (await probe('/health')).status === 200 && (await probe('/ready')).status === 200);
  },
);

test('PROBE_PORT: a drain is told at once, and the port stays open to the end', { timeout: 60_000 }, async () => {
  await using ports = await start({ MODEL_OPTIONS: '{"square":{"simulate":{"runMs":2000}}}' });
  const { carpool, probe } = ports;
  const admitted = carpool.post('/predict', { data: 3 });
  await until(async () => (await carpool.metric('carpool_permits_used', { model: 'square' })) === 1);
  carpool.signal('SIGTERM');
  await carpool.log((line) => line['msg'] === 'server is draining');
  await until(async () => (await probe('/ready')).status === 503);
  assert.deepEqual((await probe('/ready')).body, { ready: false, why: 'draining: asked to stop' });
  assert.equal((await probe('/health')).status, 200);
  assert.deepEqual((await admitted).body, { result: 9 });
  assert.deepEqual(await carpool.exit(), { code: 0, signal: null });
  await assert.rejects(probe('/health'));
  assert.equal(carpool.stderr, '');
});

test('PROBE_PORT in use ends the start with exit code 1 and names the option', { timeout: 60_000 }, async () => {
  await using ports = await start({});
  await using second = Carpool.spawn({ MODELS: 'square', PROBE_PORT: String(ports.carpool.port) });
  assert.deepEqual(await second.exit(), { code: 1, signal: null });
  assert.match(
    second.stderr,
    /PROBE_PORT: another process listens on it.*HOST=127\.0\.0\.1.*PROBE_PORT=\d+ \(environment\).*EADDRINUSE/,
  );
  await using third = Carpool.spawn({ MODELS: 'square', PORT: '8000', PROBE_PORT: '8000' });
  assert.deepEqual(await third.exit(), { code: 2, signal: null });
  assert.match(third.stderr, /PROBE_PORT: the same as PORT/);
});
