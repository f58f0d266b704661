import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from '../../src/config/options.ts';
import { answerProbe, PROBES, probeReplies, stalledReplies } from '../../src/http/probes.ts';
import type { Services } from '../../src/http/services.ts';
import { ServerState } from '../../src/state.ts';
import { ask, post, startTestServer } from './in-process.ts';

interface Situation {
  readonly state: ServerState;
  readonly full?: boolean;
  readonly readyWhenFull?: boolean;
}

/** What a probe answers; it reads state and queue lengths only, so those are all it is given. */
function probe(path: string, { state, full = false, readyWhenFull = false }: Situation, method = 'GET') {
  const services = {
    state,
    config: { READY_WHEN_FULL: readyWhenFull, JOB_SOURCE: 'none' } as Config,
    repository: { list: () => [{ name: 'm' }] },
    door: { isFull: () => full },
    access: { isLevelEnabled: () => false },
  } as unknown as Services;
  let status = 0;
  let headers: Record<string, unknown> = {};
  let text: string | undefined;
  const response = {
    writeHead(code: number, fields: Record<string, unknown>) {
      status = code;
      headers = fields;
    },
    end: (body?: string) => (text = body),
  };
  const found = PROBES[path];
  assert.ok(found !== undefined, path);
  answerProbe(found, { request: { url: path, method }, response, services } as unknown as Parameters<
    typeof answerProbe
  >[1]);
  return { status, headers, text };
}

function stateOf(...phases: ('ready' | 'draining' | 'failed')[]): ServerState {
  const state = new ServerState();
  for (const phase of phases) state.enter(phase, 'because');
  return state;
}

const situations: Readonly<Record<string, Situation>> = {
  starting: { state: stateOf() },
  ready: { state: stateOf('ready') },
  busy: { state: stateOf('ready'), full: true },
  'busy, READY_WHEN_FULL': { state: stateOf('ready'), full: true, readyWhenFull: true },
  draining: { state: stateOf('ready', 'draining') },
  failed: { state: stateOf('ready', 'failed') },
  'failed at start': { state: stateOf('failed') },
};

/** Statuses of /started, /health, /ready and /health_check. */
const expected: Readonly<Record<string, readonly [number, number, number, number]>> = {
  starting: [503, 200, 503, 503],
  ready: [200, 200, 200, 200],
  busy: [200, 200, 503, 200],
  'busy, READY_WHEN_FULL': [200, 200, 200, 200],
  draining: [200, 200, 503, 503],
  failed: [200, 503, 503, 503],
  'failed at start': [503, 503, 503, 503],
};
for (const [name, situation] of Object.entries(situations))
  test(`probes of a server that is ${name}`, () => {
    const statuses = (paths: string[]) => paths.map((path) => probe(path, situation).status);
    const wanted = expected[name] ?? [];
    assert.deepEqual(statuses(['/started', '/health', '/ready', '/health_check']), wanted);
    const [, live, ready, check] = wanted;
    assert.deepEqual(statuses(['/v2/health/live', '/v2/health/ready', '/hc']), [live, ready, check]);
    for (const path of Object.keys(PROBES)) {
      const { headers, text } = probe(path, situation);
      assert.equal(headers['Content-Length'], Buffer.byteLength(text ?? ''));
      assert.equal(typeof JSON.parse(text ?? ''), 'object', path);
    }
  });

test('only the health check of a ready server has the word `ready`', () => {
  for (const path of ['/health_check', '/hc'])
    for (const [name, situation] of Object.entries(situations))
      assert.equal(/ready/i.test(probe(path, situation).text ?? ''), name === 'ready', `${path} when ${name}`);
  assert.equal(probe('/health_check', situations['busy'] as Situation).text, '{"status":"busy"}');
  assert.equal(probe('/health_check', situations['ready'] as Situation).text, '{"status":"ready"}');
  assert.equal(probe('/health_check', situations['failed'] as Situation).text, '{"status":"failed"}');
});

test('a probe that says no says why', () => {
  assert.match(probe('/ready', situations['busy'] as Situation).text ?? '', /queue is full/);
  assert.match(probe('/ready', situations['draining'] as Situation).text ?? '', /draining: because/);
  assert.match(probe('/health', situations['failed'] as Situation).text ?? '', /because/);
});

test('the replies that PROBE_PORT is told are those of the probes', () => {
  for (const situation of Object.values(situations)) {
    const { state, full = false, readyWhenFull = false } = situation;
    const replies = probeReplies({
      state,
      config: { READY_WHEN_FULL: readyWhenFull, JOB_SOURCE: 'none' } as Config,
      repository: { list: () => [{ name: 'm' }] },
      door: { isFull: () => full },
    } as unknown as Services);
    assert.deepEqual(Object.keys(replies), Object.keys(PROBES));
    for (const [path, reply] of Object.entries(replies)) {
      const { status, text } = probe(path, situation);
      assert.deepEqual(reply, { status, text });
    }
  }
});

test('a main thread that stands still is first not ready, then not live, and was started all the same', () => {
  const stalls = { MAIN_STALL_MS: 20_000, HEALTH_MEANS_READY: false };
  const replies = stalledReplies(stalls);
  const limits = Object.entries(replies).map(([path, { afterMs, status }]) => [path, afterMs, status]);
  assert.deepEqual(limits.sort(), [
    ['/hc', 1000, 503],
    ['/health', 20_000, 503],
    ['/health_check', 1000, 503],
    ['/ready', 1000, 503],
    ['/v2/health/live', 20_000, 503],
    ['/v2/health/ready', 1000, 503],
  ]);
  assert.match(replies['/health']?.text ?? '', /has stood still for 20 s/);
  assert.ok(!/ready/.test(replies['/hc']?.text ?? ''));
  const strict = stalledReplies({ ...stalls, HEALTH_MEANS_READY: true });
  assert.deepEqual([strict['/health'], strict['/v2/health/live']], [replies['/ready'], replies['/v2/health/live']]);
});

test('with HEALTH_MEANS_READY /health is what /ready is; /v2/health/live stays liveness', async () => {
  await using server = await startTestServer({
    MODELS: 'square',
    HEALTH_MEANS_READY: 'true',
    PROBE_PORT: '0',
    MODEL_OPTIONS: '{"square":{"queue":{"maxItems":1},"simulate":{"runMs":1000}}}',
  });
  const probes = `http://127.0.0.1:${server.probePort}`;
  const statuses = async (): Promise<number[]> =>
    Promise.all(
      [`${server.url}/health`, `${probes}/health`, `${server.url}/v2/health/live`].map(
        async (url) => (await ask(url)).status,
      ),
    );
  assert.deepEqual(await statuses(), [200, 200, 200]);
  const served = post(`${server.url}/predict/square`, '{"data":2}');
  while ((await statuses()).join() !== '503,503,200');
  await served;
});

test('HEAD gives the head alone', () => {
  const { status, text } = probe('/health', situations['ready'] as Situation, 'HEAD');
  assert.deepEqual([status, text], [200, undefined]);
});

for (const readyWhenFull of [false, true])
  test(`a real queue that is full: /ready ${readyWhenFull ? 'stays 200' : '503'}, /health 200, busy, then ready again`, async () => {
    await using server = await startTestServer({
      MODELS: 'square',
      READY_WHEN_FULL: String(readyWhenFull),
      MODEL_OPTIONS: '{"square":{"queue":{"maxItems":1},"simulate":{"runMs":1500}}}',
    });
    const running = post(`${server.url}/predict`, '{"data":2}');
    let check = await ask(`${server.url}/health_check`);
    while ((check.json as { status: string }).status !== 'busy') check = await ask(`${server.url}/health_check`);
    assert.equal(check.status, 200);
    assert.equal((await ask(`${server.url}/ready`)).status, readyWhenFull ? 200 : 503);
    assert.equal((await ask(`${server.url}/health`)).status, 200);
    const refused = await post(`${server.url}/predict`, '{"data":3}');
    assert.equal(refused.status, 429);
    assert.deepEqual((await running).json, { result: 4 });
    assert.deepEqual((await ask(`${server.url}/health_check`)).json, { status: 'ready' });
    assert.equal((await ask(`${server.url}/ready`)).status, 200);
  });
