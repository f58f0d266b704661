import assert from 'node:assert/strict';
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Carpool } from './carpool.ts';

const slowSquare = (fields: Record<string, unknown>): Record<string, string> => ({
  MODELS: 'square',
  MODEL_OPTIONS: JSON.stringify({ square: fields }),
});

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'));
}

/** Asks again until it holds; the test's own limit ends it. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await sleep(20);
}

test('bad configuration: every problem at once, exit code 2, nothing started', async () => {
  await using carpool = Carpool.spawn({
    PORT: 'eighty',
    LANES: '-1',
    MODELS_DIR: '/nowhere/at/all',
    MODEL_OPTIONS: '{',
  });
  assert.deepEqual(await carpool.exit(), { code: 2, signal: null });
  for (const problem of ['PORT', 'LANES', 'MODELS_DIR', 'MODEL_OPTIONS'])
    assert.match(carpool.stderr, new RegExp(problem));
  assert.deepEqual(carpool.logs, []);
});

test('a model that cannot be loaded ends the start with exit code 1 and says why', async () => {
  await using carpool = Carpool.spawn({
    MODELS: 'square',
    MODEL_OPTIONS: '{"square":{"batching":{"maxItems":"many"}}}',
  });
  assert.deepEqual(await carpool.exit(), { code: 1, signal: null });
  assert.match(carpool.stderr, /square.*batching\.maxItems/s);
});

test('the default address takes IPv4 and IPv6; a port in use ends the start with exit code 1', async () => {
  await using carpool = await Carpool.start({ MODELS: 'square', HOST: '::' });
  for (const address of hasIpv6() ? ['127.0.0.1', '[::1]'] : ['127.0.0.1'])
    assert.equal((await fetch(`http://${address}:${carpool.port}/ready`)).status, 200, address);
  await using second = Carpool.spawn({ MODELS: 'square', HOST: '::', PORT: String(carpool.port) });
  assert.deepEqual(await second.exit(), { code: 1, signal: null });
  assert.match(second.stderr, /PORT: another process listens on it.*PORT=\d+ \(environment\).*EADDRINUSE/);
});

test('an address that cannot be listened on is reported with its option and the source of that', async () => {
  await using nowhere = Carpool.spawn({ MODELS: 'square', HOST: 'x86_64-conda-linux-gnu.invalid' });
  assert.deepEqual(await nowhere.exit(), { code: 1, signal: null });
  assert.match(
    nowhere.stderr,
    /^HOST: .*HOST=x86_64-conda-linux-gnu\.invalid \(environment\), PORT=0 \(environment\)/m,
  );
  await using foreign = Carpool.spawn({ MODELS: 'square', HOST: '192.0.2.77' });
  assert.deepEqual(await foreign.exit(), { code: 1, signal: null });
  assert.match(foreign.stderr, /^HOST: it is no address of this machine/m);
});

test(
  'SIGTERM under load: what was admitted is answered, what comes later is refused, exit code 0',
  { timeout: 60_000 },
  async () => {
    await using carpool = await Carpool.start(slowSquare({ batching: { maxItems: 2 }, simulate: { runMs: 300 } }));
    const admitted = Array.from({ length: 8 }, (_, data) => carpool.post('/predict', { data }));
    await until(async () => (await carpool.metric('carpool_permits_used', { model: 'square' })) === 8);
    carpool.signal('SIGTERM');
    await carpool.log((line) => line['msg'] === 'server is draining');
    const ready = await carpool.get('/ready');
    const late = await carpool.post('/predict', { data: 1 });
    assert.equal(ready.status, 503);
    assert.equal(late.status, 503);
    assert.equal((late.body as { code: string }).code, 'DRAINING');
    const answers = await Promise.all(admitted);
    assert.deepEqual(
      answers.map(({ status, body }) => [status, (body as { result: number }).result]),
      answers.map((_, data) => [200, data * data]),
    );
    assert.deepEqual(await carpool.exit(), { code: 0, signal: null });
  },
);

test('SIGHUP drains like SIGTERM: a closed terminal cuts off no request', { timeout: 60_000 }, async () => {
  await using carpool = await Carpool.start(slowSquare({ simulate: { runMs: 1000 } }));
  const admitted = carpool.post('/predict', { data: 5 });
  await until(async () => (await carpool.metric('carpool_permits_used', { model: 'square' })) === 1);
  // Twice, as from a terminal and from `npm` that passes it on.
  carpool.signal('SIGHUP');
  carpool.signal('SIGINT');
  assert.deepEqual((await admitted).body, { result: 25 });
  assert.deepEqual(await carpool.exit(), { code: 0, signal: null });
});

test('SIGUSR1 opens no debugger, and SIGUSR2 does not end the server', { timeout: 60_000 }, async () => {
  await using carpool = await Carpool.start({ MODELS: 'square' });
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) carpool.signal(signal);
  for (const data of [1, 2, 3])
    assert.deepEqual((await carpool.post('/predict', { data })).body, { result: data * data });
  carpool.signal('SIGTERM');
  assert.deepEqual(await carpool.exit(), { code: 0, signal: null });
  assert.equal(carpool.stderr, '');
});

test('a drain whose grace runs out answers what waits with 503 and ends by a signal', { timeout: 60_000 }, async () => {
  await using carpool = await Carpool.start({
    ...slowSquare({ batching: { maxItems: 1 }, simulate: { runMs: 4000 } }),
    DRAIN_GRACE_MS: '300',
  });
  const answers = [1, 2].map((data) => carpool.post('/predict', { data }));
  await until(async () => (await carpool.metric('carpool_permits_used', { model: 'square' })) === 2);
  carpool.signal('SIGTERM');
  for (const { status, body } of await Promise.all(answers)) {
    assert.equal(status, 503);
    assert.equal((body as { code: string }).code, 'DRAINING');
  }
  assert.deepEqual(await carpool.exit(), { code: null, signal: 'SIGKILL' });
});

test('a client that leaves takes its waiting ticket with it: it is never computed', { timeout: 60_000 }, async () => {
  await using carpool = await Carpool.start(slowSquare({ batching: { maxItems: 1 }, simulate: { runMs: 700 } }));
  const first = carpool.post('/predict', { data: 2 });
  await until(async () => (await carpool.metric('carpool_running_items', { model: 'square' })) === 1);
  const leaving = request(`${carpool.url}/predict`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
  });
  leaving.on('error', () => undefined);
  leaving.end('{"data":3}');
  await until(async () => (await carpool.metric('carpool_permits_used', { model: 'square' })) === 2);
  leaving.destroy();
  await until(async () => (await carpool.metric('carpool_left_total', { why: 'cancelled', state: 'waiting' })) === 1);
  assert.equal(await carpool.metric('carpool_permits_used', { model: 'square' }), 1);
  assert.equal((await first).status, 200);
  await until(async () => (await carpool.metric('carpool_permits_used', { model: 'square' })) === 0);
  assert.equal(await carpool.metric('carpool_batch_items_sum', { model: 'square' }), 1);
});

test(
  'a lane that dies is replaced: its batch gets a retryable 503, and the next request is served',
  { timeout: 60_000 },
  async () => {
    await using carpool = await Carpool.start(slowSquare({ simulate: { dieAtRun: 2 } }));
    assert.equal((await carpool.post('/predict', { data: 2 })).status, 200);
    const lost = await carpool.post('/predict', { data: 3 });
    assert.equal(lost.status, 503);
    assert.equal((lost.body as { code: string }).code, 'LANE_LOST');
    const again = await carpool.post('/predict', { data: 4 });
    assert.deepEqual([again.status, again.body], [200, { result: 16 }]);
    assert.equal(await carpool.metric('carpool_lane_losses_total'), 1);
    assert.equal((await carpool.get('/health')).status, 200);
  },
);

test('a run beyond its limit fails its own request, and the server goes on', { timeout: 60_000 }, async () => {
  await using carpool = await Carpool.start(
    slowSquare({ batching: { maxItems: 1 }, runLimitMs: 500, simulate: { runMs: 1200 } }),
  );
  for (const data of [1, 2]) {
    const { status, body } = await carpool.post('/predict', { data });
    assert.deepEqual([status, (body as { code: string }).code], [504, 'RUN_TOO_LONG']);
    assert.equal((await carpool.get('/health')).status, 200);
  }
  assert.equal(await carpool.metric('carpool_late_runs_total'), 2);
  assert.equal(await carpool.metric('carpool_lane_losses_total'), 0);
});

test(
  'hung runs: the first costs its lane the thread; after the second health turns 503 and the process leaves within its grace',
  { timeout: 60_000 },
  async () => {
    await using carpool = await Carpool.start({
      ...slowSquare({ batching: { maxItems: 1 }, runLimitMs: 500, simulate: { runMs: 20_000 } }),
      FAILED_GRACE_MS: '1500',
    });
    const first = await carpool.post('/predict', { data: 0 });
    assert.deepEqual([first.status, (first.body as { code: string }).code], [504, 'RUN_TOO_LONG']);
    await carpool.log((line) => line['msg'] === 'lane died; it is being replaced');
    assert.equal((await carpool.get('/health')).status, 200);
    const answers = [1, 2].map((data) => carpool.post('/predict', { data }));
    await carpool.log((line) => line['msg'] === 'server is failed');
    for (const path of ['/health', '/ready', '/v2/health/live']) assert.equal((await carpool.get(path)).status, 503);
    assert.deepEqual((await carpool.get('/health_check')).body, { status: 'failed' });
    const codes = (await Promise.all(answers)).map(({ body }) => (body as { code: string }).code);
    assert.deepEqual(codes.toSorted(), ['FAILED', 'RUN_TOO_LONG']);
    const { code, signal } = await carpool.exit();
    assert.ok(code !== 0 || signal !== null);
  },
);

test(
  'the reference burst: 8 of 9 squares, one 429, health busy and then ready, no item computed in vain',
  { timeout: 60_000 },
  async () => {
    await using carpool = await Carpool.start(
      slowSquare({
        // Four are a full batch and wait for nothing; fewer wait for those that a busy machine brings late.
        batching: { maxItems: 4, maxDelayMs: 1000 },
        queue: { maxItems: 8 },
        simulate: { runMs: 2000 },
      }),
    );
    const predicts = Array.from({ length: 9 }, (_, data) => carpool.post('/predict', { data }));
    const health: unknown[] = [];
    for (const atMs of [300, 1000, 2300, 3000]) {
      await sleep(atMs - (health.length === 0 ? 0 : ([300, 1000, 2300][health.length - 1] ?? 0)));
      health.push((await carpool.get('/health_check')).body);
    }
    const answers = await Promise.all(predicts);
    assert.deepEqual(
      answers.filter(({ status }) => status === 200).map(({ body }) => (body as { result: number }).result),
      answers.flatMap(({ status }, data) => (status === 200 ? [data * data] : [])),
    );
    const refused = answers.filter(({ status }) => status === 429);
    assert.equal(refused.length, 1);
    assert.equal(answers.filter(({ status }) => status === 200).length, 8);
    assert.match((refused[0]?.body as { error: string }).error, /full/i);
    assert.ok(Number(refused[0]?.headers.get('retry-after')) >= 1);
    assert.deepEqual(health, [{ status: 'busy' }, { status: 'busy' }, { status: 'ready' }, { status: 'ready' }]);
    assert.equal(await carpool.metric('carpool_batch_items_sum', { model: 'square' }), 8);
    assert.equal(await carpool.metric('carpool_batch_items_count', { model: 'square' }), 2);
  },
);
