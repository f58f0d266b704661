import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runBurst } from '../../load-tests/runner/burst.ts';
import { runLoadTest } from '../../load-tests/runner/main.ts';
import { runOpenLoop } from '../../load-tests/runner/open-loop.ts';
import { type OpenLoopScenario, parseScenario, readScenario } from '../../load-tests/runner/scenario.ts';
import { judgeThresholds } from '../../load-tests/runner/thresholds.ts';
import { type FakeReply, refusal, startFakeServer } from './fake-server.ts';

function openLoop(executor: Record<string, unknown>, options: Record<string, unknown> = {}): OpenLoopScenario {
  const scenario = parseScenario({
    kind: 'open-loop',
    description: 'test',
    options: {
      scenarios: { it: { executor: 'constant-arrival-rate', preAllocatedVUs: 1, maxVUs: 50, ...executor } },
      thresholds: { checks: ['rate==1'] },
      ...options,
    },
    expectedStatuses: [200],
    requests: [
      { name: 'predict', method: 'POST', path: '/predict', body: { data: 3 }, expect: { result: 9 } },
      { name: 'health', method: 'GET', path: '/health' },
    ],
  });
  assert.equal(scenario.kind, 'open-loop');
  return scenario;
}

describe('runOpenLoop', () => {
  it('sends every arrival, requests in turn, and judges the replies', async (t) => {
    const server = await startFakeServer(({ path, body }) =>
      Promise.resolve(path === '/health' ? { json: {} } : { json: { result: body === '{"data":3}' ? 9 : -1 } }),
    );
    t.after(() => server.close());
    const scenario = openLoop({ rate: 200, duration: '1s' });
    const run = await runOpenLoop(scenario, { url: server.url, durationScale: 0.2 });
    assert.equal(run.samples.length, 40);
    assert.equal(run.dropped, 0);
    assert.equal(run.samples.filter((sample) => sample.name === 'health').length, 20);
    assert.ok(run.samples.every((sample) => sample.expected && sample.checks.every((check) => check.right)));
  });

  it('opens a connection for each request where none is to be reused, as k6 does', async (t) => {
    const server = await startFakeServer(() => Promise.resolve({ json: { result: 9 } }));
    t.after(() => server.close());
    const scenario = openLoop({ rate: 100, duration: '100ms' }, { noConnectionReuse: true });
    const run = await runOpenLoop(scenario, { url: server.url, durationScale: 1 });
    assert.deepEqual(
      run.samples.map((sample) => sample.status),
      Array.from({ length: 10 }, () => 200),
    );
    assert.equal(server.connections(), 10);
  });

  it('counts cut connections, refusals and wrong answers for what they are', async (t) => {
    let count = 0;
    const replies: (FakeReply | undefined)[] = [refusal, undefined, { json: { result: 8 } }, { json: {} }];
    const server = await startFakeServer(() => Promise.resolve(replies[count++ % replies.length]));
    t.after(() => server.close());
    const run = await runOpenLoop(openLoop({ rate: 20, duration: '200ms' }), { url: server.url, durationScale: 1 });
    assert.deepEqual(run.samples.map((sample) => sample.status).sort(), [0, 200, 200, 429]);
    assert.equal(run.samples.filter((sample) => !sample.expected).length, 2);
    assert.equal(run.samples.flatMap((sample) => sample.checks).filter((check) => !check.right).length, 2);
  });

  it('drops arrivals beyond the most allowed under way, and counts from the time a request was due', async (t) => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const server = await startFakeServer(async () => {
      await held;
      return { json: { result: 9 } };
    });
    t.after(() => server.close());
    const scenario = openLoop({ rate: 100, duration: '100ms', maxVUs: 4 });
    const running = runOpenLoop(scenario, { url: server.url, durationScale: 1 });
    await sleep(300);
    release();
    const run = await running;
    assert.equal(run.samples.length, 4);
    assert.equal(run.dropped, 6);
    // Due at 0 to 30 ms, answered after 300 ms at the earliest: no less than this can be true.
    assert.ok(run.samples.every((sample) => sample.latencyMs >= 250));
  });
});

/** The sample server as it should be, in fast motion: takes 8, refuses the ninth, busy until `releaseMs`. */
function burstServer(change: { capacity?: number; busyBody?: unknown; wrongAt?: number } = {}) {
  let admitted = 0;
  const start = performance.now();
  const busy = () => performance.now() - start < 200;
  return startFakeServer(async ({ path, body }) => {
    if (path === '/health_check')
      return { json: busy() ? (change.busyBody ?? { status: 'busy' }) : { status: 'ready' } };
    if (++admitted > (change.capacity ?? 8)) return refusal;
    const { data } = JSON.parse(body) as { data: number };
    await sleep(Math.max(0, 200 - (performance.now() - start)));
    return { json: { result: data === change.wrongAt ? -1 : data * data } };
  });
}

async function judgeBurst(change: Parameters<typeof burstServer>[0]): Promise<string[]> {
  const scenario = readScenario('reference-burst');
  assert.equal(scenario.kind, 'burst');
  const health = {
    ...scenario.health,
    checks: [
      { atMs: 50, status: 'busy' as const },
      { atMs: 500, status: 'ready' as const },
    ],
  };
  const server = await burstServer(change);
  try {
    const run = await runBurst({ ...scenario, health }, { url: server.url });
    return judgeThresholds(scenario.options.thresholds, run)
      .filter((verdict) => !verdict.passed)
      .map((verdict) => verdict.metric);
  } finally {
    await server.close();
  }
}

describe('runBurst', () => {
  it('passes a server that answers eight, refuses one and is busy, then ready', async () => {
    assert.deepEqual(await judgeBurst({}), []);
  });
  it('fails one that admits all nine', async () => {
    assert.deepEqual(await judgeBurst({ capacity: 9 }), ['burst_squares', 'burst_refused']);
  });
  it('fails one whose busy body holds the word ready', async () => {
    assert.deepEqual(await judgeBurst({ busyBody: { status: 'busy', ready: false } }), ['checks']);
  });
  it('fails one that answers something else than the square', async () => {
    assert.deepEqual(await judgeBurst({ wrongAt: 3 }), ['burst_squares', 'burst_wrong', 'checks']);
  });
});

describe('runLoadTest', () => {
  it('gives 0 when all thresholds hold and 1 when one fails, with a table', async (t) => {
    let healthy = true;
    const server = await startFakeServer(({ path, body }) => {
      if (!healthy) return Promise.resolve({ status: 500, json: {} });
      if (path === '/predict/language-id') return Promise.resolve({ json: { result: [{ label: 'deu' }] } });
      if (path === '/health_check') return Promise.resolve({ json: { status: 'ready' } });
      return Promise.resolve({ json: { result: body === '' ? 0 : 9 } });
    });
    t.after(() => server.close());
    const printed: string[] = [];
    const run = () =>
      runLoadTest(['smoke', '--url', server.url, '--duration-scale', '0.7'], (text) => printed.push(text));
    assert.equal(await run(), 0, printed.join('\n'));
    healthy = false;
    assert.equal(await run(), 1);
    assert.match(printed.join('\n'), /\| 200 +\| +21 \|[^]*\| 500 +\| +21 \|[^]*http_req_failed[^]*FAIL/);
  });

  it('gives 2 on a call it does not understand', async () => {
    const calls = [
      [],
      ['no-such'],
      ['../smoke'],
      ['smoke', '--url', 'x'],
      ['smoke', '--duration-scale', '0'],
      ['smoke', '--x'],
    ];
    for (const args of calls) assert.equal(await runLoadTest(args, () => undefined), 2, args.join(' '));
  });
});
