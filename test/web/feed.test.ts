import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestOfKey } from '../../src/config/api-keys.ts';
import { EventReader, eventsOf } from '../../web/live/event-reader.ts';
import type { Frame, Welcome } from '../../web/live/protocol.ts';
import { post, startTestServer } from '../http/in-process.ts';
import { startStubServer } from '../http/stub-services.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';

/** `GET /live`: what it tells, to how many, and when it ends. */

interface Reading extends AsyncDisposable {
  readonly welcome: Welcome;
  /** Frames until one fits. */
  until(fits: (frame: Frame) => boolean): Promise<Frame>;
  /** Resolves when the server ends it. */
  ended(): Promise<void>;
}

const LIMIT_MS = 60_000;
const SQUARE_BYTES = statSync(path.join(SHIPPED_MODELS, 'square/model.onnx')).size;

async function read(url: string, headers: Record<string, string> = {}): Promise<Reading> {
  const stop = new AbortController();
  const response = await fetch(`${url}/live`, {
    headers,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(LIMIT_MS)]),
  });
  assert.equal(response.status, 200, await (response.ok ? '' : response.text()));
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  assert.ok(response.body);
  const events = eventsOf(response.body);
  const next = async (): Promise<unknown> => {
    const event = await events.next();
    return event.done === true ? undefined : JSON.parse(event.value.data);
  };
  return {
    welcome: (await next()) as Welcome,
    async until(fits) {
      for (;;) {
        const frame = (await next()) as Frame | undefined;
        assert.ok(frame, 'the stream has ended');
        if (fits(frame)) return frame;
      }
    },
    async ended() {
      while ((await next()) !== undefined);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await events.return(undefined).catch(() => undefined);
    },
  };
}

test('it tells first everything, then what changes, in the numbers of /metrics', async () => {
  await using server = await startTestServer({ MODELS: 'square', JOBS_DIR: '' });
  await using live = await read(server.url);
  const { welcome } = live;
  assert.equal(welcome.frame.phase, 'ready');
  assert.deepEqual(
    welcome.frame.models
      ?.filter(({ state }) => state === 'ready')
      .map(({ name, task, devices, fileBytes }) => [name, task, devices, fileBytes]),
    [['square', 'tensors', ['cpu'], SQUARE_BYTES]],
  );
  assert.deepEqual(
    welcome.frame.lanes.map(({ lane, up }) => [lane, up]),
    welcome.frame.lanes.map((_, index) => [index, true]),
  );
  assert.deepEqual([welcome.manages, welcome.listsJobs], [false, false]);
  assert.ok(welcome.frame.process.residentBytes > 1e6 && welcome.frame.process.heapBytes > 1e5);

  const { status } = await post(`${server.url}/predict/square`, '{"data":3}', { 'X-Request-Id': 'mine' });
  assert.equal(status, 200);
  // The request is counted when its reply has been sent, which may be after its run.
  let runs: Frame['runs'];
  let isCounted = false;
  await live.until((frame) => {
    if (frame.runs?.some(({ ms }) => ms !== null) === true) runs = frame.runs;
    isCounted ||= frame.numbers?.['square']?.requests['200'] === 1;
    return runs !== undefined && isCounted;
  });
  assert.deepEqual(
    runs?.map(({ model, items, cut, riders }) => [model, items, cut, riders.map(([id, , own]) => [id, own])]),
    [['square', 1, 'empty', [['mine', 1]]]],
  );
  await checkNumbers(server.url, welcome);

  // A page that was open counts neither as slow nor as left.
  await live[Symbol.asyncDispose]();
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.ok(metrics.includes(`carpool_model_file_bytes{model="square",version="1"} ${SQUARE_BYTES}\n`));
  assert.doesNotMatch(metrics, /carpool_requests_total\{[^}]*code="499"/);
});

/** After one request for square. */
async function checkNumbers(url: string, { bounds }: Welcome): Promise<void> {
  await using later = await read(url);
  const whole = later.welcome.frame;
  const square = whole.numbers?.['square'];
  assert.deepEqual(
    [square?.requests, square?.cuts, square?.batch.count, square?.batch.sum, square?.run.count, square?.wait.count],
    [{ 200: 1 }, { empty: 1 }, 1, 1, 1, 1],
  );
  // Each observation is in one range.
  for (const histogram of [square?.request, square?.run, square?.batch])
    assert.deepEqual(
      histogram?.ranges.filter((count) => count > 0),
      [1],
    );
  assert.equal(square?.request.ranges.length, bounds.seconds.length + 1);
  assert.ok(whole.runs?.some(({ riders }) => riders[0]?.[0] === 'mine'));
}

test('frames of a server with nothing to do hold no numbers that have not changed', async () => {
  await using server = await startStubServer([]);
  await using live = await read(server.url);
  const quiet = await live.until((frame) => frame.models === undefined && frame.jobs === undefined);
  assert.deepEqual([quiet.numbers, quiet.runs, quiet.missedRuns], [undefined, undefined, undefined]);
  server.state.enter('draining', 'asked to stop');
  const draining = await live.until(({ phase }) => phase === 'draining');
  assert.equal(draining.why, 'asked to stop');
});

test('it ends when the server has drained', async () => {
  const server = await startTestServer({ MODELS: 'square' });
  const live = await read(server.url);
  await Promise.all([live.ended(), server.drain()]);
  await live[Symbol.asyncDispose]();
});

test('eight can read it, a ninth is refused, and one that leaves makes room', async () => {
  await using server = await startStubServer([]);
  // It takes no place.
  for (let count = 0; count < 10; count++) {
    const { status, headers } = await fetch(`${server.url}/live`, { method: 'HEAD' });
    assert.deepEqual([status, headers.get('content-type')], [200, 'text/event-stream; charset=utf-8']);
  }
  const readers = await Promise.all(Array.from({ length: 8 }, () => read(server.url)));
  const refused = await fetch(`${server.url}/live`);
  assert.equal(refused.status, 429);
  assert.match(await refused.text(), /at most 8 pages/);
  await readers[0]?.[Symbol.asyncDispose]();
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const again = await fetch(`${server.url}/live`);
    await again.body?.cancel();
    if (again.status === 200) break;
    assert.ok(Date.now() < deadline, 'there is no room again');
    await sleep(20);
  }
  // All of one process, which others tell from it: counters and ids begin anew there.
  await using other = await startStubServer([]);
  await using elsewhere = await read(other.url);
  const instances = new Set(readers.map(({ welcome }) => welcome.instance));
  assert.deepEqual([instances.size, instances.has(elsewhere.welcome.instance)], [1, false]);
  await Promise.all(readers.map((reader) => reader[Symbol.asyncDispose]()));
});

test('it needs a key for metrics, and says what else the key is for', async () => {
  const keys = [
    `watch:${digestOfKey('watch')}:metrics`,
    `all:${digestOfKey('all')}:infer:manage:metrics`,
    `app:${digestOfKey('app')}`,
  ];
  await using server = await startStubServer([], { API_KEYS: keys.join(), MODEL_CONTROL: 'explicit' });
  const statusOf = async (key: string): Promise<number> => {
    const { status, body } = await fetch(`${server.url}/live`, { headers: { 'X-API-Key': key } });
    await body?.cancel();
    return status;
  };
  assert.deepEqual(await Promise.all(['', 'wrong', 'app'].map(statusOf)), [401, 401, 403]);
  for (const [key, manages] of [
    ['watch', false],
    ['all', true],
  ] as const) {
    await using live = await read(server.url, { Authorization: `Bearer ${key}` });
    assert.equal(live.welcome.manages, manages, key);
  }
});

test('events are read however they are cut', () => {
  const text =
    ': hello\n\nevent: frame\ndata: {"a":1}\n\nevent: frame\r\ndata: x\r\ndata: y\r\n\r\ndata:z\n\nevent: rest';
  const expected = [
    { name: 'frame', data: '{"a":1}' },
    { name: 'frame', data: 'x\ny' },
    { name: 'message', data: 'z' },
  ];
  for (const size of [1, 2, 3, 7, text.length]) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...reader.push(text.slice(at, at + size)));
    assert.deepEqual(events, expected, String(size));
  }
});
