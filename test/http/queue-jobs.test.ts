import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Item } from '../../src/tasks/task.ts';
import { filesIn, temporaryFolder } from '../storage/support.ts';
import { until } from '../lanes/threads.ts';
import { post, startTestServer } from './in-process.ts';
import { postJob, runSaladJob } from './salad-worker.ts';
import { startStubServer, type Serve, type StubModel } from './stub-services.ts';

const modelOf = (serve: Serve): StubModel => ({ name: 'stub', task: 'embeddings', serve });

const valueOf = (item: Item) => (item.kind === 'json' ? item.value : undefined);

function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

const SLOW = {
  MODELS: 'square',
  DEFAULT_MODEL: 'square',
  MODEL_OPTIONS: '{"square":{"queue":{"maxItems":1},"simulate":{"runMs":400}}}',
};

test('a job waits for room where a request would be refused, and not behind requests', async () => {
  await using server = await startTestServer(SLOW);
  const url = `${server.url}/predict`;
  const first = post(url, '{"data":2}');
  while ((await post(url, '{"data":2}')).status !== 429);
  const ends = await Promise.all([3, 4, 5].map((data) => runSaladJob(url, `job ${data}`, { data })));
  assert.deepEqual(
    ends,
    [9, 16, 25].map((result) => ({ state: 'succeeded', output: { result }, statuses: [200] })),
  );
  assert.equal((await first).status, 200);
});

test('a job that has waited for JOB_WAIT_MS is refused, as is one that comes through a proxy', async () => {
  const full = { ...modelOf(() => Promise.resolve({ json: {} })), isFull: true };
  await using server = await startStubServer([full], { JOB_WAIT_MS: '1' });
  const url = `${server.url}/predict/stub`;
  assert.equal((await postJob(url, { id: 'a', input: { data: 3 } })).status, 429);
  const forwarded = { 'Salad-Job-Id': 'b', 'X-Forwarded-For': '192.0.2.1' };
  assert.equal((await post(url, '{"data":3}', forwarded)).status, 429);
});

test("the time limit of requests is not a job's", async () => {
  await using server = await startTestServer({ ...SLOW, REQUEST_TIMEOUT_MS: '100' });
  const url = `${server.url}/predict`;
  assert.equal((await post(url, '{"data":3}')).status, 504);
  const end = await runSaladJob(url, 'a', { data: 3 });
  assert.deepEqual([end.statuses, end.output], [[200], { result: 9 }]);
});

test('an attempt joins the run of the one before it, and a later one gets the same reply', async () => {
  const { open, opened } = gate();
  await using server = await startStubServer([modelOf(() => opened.then(() => ({ json: { label: 'x' } })))]);
  const url = `${server.url}/predict/stub`;
  const both = [runSaladJob(url, 'a', { data: 'text' }), runSaladJob(url, 'a', { data: 'text' })];
  await until(() => server.items.length === 1);
  open();
  for (const { output } of await Promise.all(both)) assert.deepEqual(output, { result: { label: 'x' } });
  const later = await runSaladJob(url, 'a', { data: 'text' });
  assert.deepEqual(later.output, { result: { label: 'x' } });
  assert.deepEqual(server.items.length, 1);
});

test('another body or another path under the same id is another job, as is any under another id', async () => {
  await using server = await startStubServer([modelOf((item) => Promise.resolve({ json: { of: valueOf(item) } }))]);
  const url = `${server.url}/predict/stub`;
  for (const data of ['one', 'two'])
    assert.deepEqual((await runSaladJob(url, 'a', { data })).output, { result: { of: data } });
  await runSaladJob(`${server.url}/predict/stub?again`, 'b', { data: 'two' });
  await runSaladJob(`${server.url}/predict`, 'a', { data: 'two' });
  assert.deepEqual(server.items.map(valueOf), ['one', 'two', 'two', 'two']);
});

test('a job whose worker has left is dropped, unless another attempt has joined it', async () => {
  let dropped = 0;
  const { open, opened } = gate();
  const serve: Serve = (_, { cancelled }) => {
    void cancelled.then(() => (dropped += 1));
    return opened.then(() => ({ json: {} }));
  };
  await using server = await startStubServer([modelOf(serve)]);
  const url = `${server.url}/predict/stub`;
  const input = { data: 'text' };
  const abort = new AbortController();
  const left = assert.rejects(postJob(url, { id: 'a', input, signal: abort.signal }));
  await until(() => server.items.length === 1);
  abort.abort();
  await left;
  await until(() => dropped === 1);

  const staying = postJob(url, { id: 'a', input });
  await until(() => server.items.length === 2);
  const second = new AbortController();
  const leaving = assert.rejects(postJob(url, { id: 'a', input, signal: second.signal }));
  second.abort();
  await leaving;
  open();
  assert.equal((await staying).status, 200);
  assert.deepEqual([server.items.length, dropped], [2, 1]);
});

test('a mistake of the job ends it at the first attempt, in JSON; one of the server is tried four times', async () => {
  await using server = await startStubServer([modelOf(() => Promise.reject(new Error('broken')))]);
  for (const [path, input] of [
    ['/v1/embeddings', { input: 7 }],
    ['/v1/chat/completions', { messages: [], stream: true }],
    ['/predict/none', { data: 1 }],
  ] as const) {
    const end = await runSaladJob(server.url + path, path, input);
    assert.deepEqual([end.state, end.statuses.length], ['succeeded', 1], path);
    assert.ok(Object.hasOwn(end.output as object, 'error'));
  }
  const end = await runSaladJob(`${server.url}/predict/stub`, 'a', { data: 'text' });
  assert.deepEqual(end, { state: 'failed', output: undefined, statuses: [500, 500, 500, 500] });
});

test('an image comes as JSON', async () => {
  const png = { bytes: Buffer.from([1, 2, 3]), contentType: 'image/png' };
  await using server = await startStubServer([modelOf(() => Promise.resolve(png))]);
  const { output } = await runSaladJob(`${server.url}/predict/stub`, 'a', { data: 'text' });
  assert.deepEqual(output, { result: 'AQID' });
});

test('an answer beyond the 10 MB of a result ends the job with an error that says so; the work is done once', async () => {
  const large = { json: { text: 'x'.repeat(10_000_000) } };
  await using server = await startStubServer([modelOf(() => Promise.resolve(large))]);
  for (let turn = 0; turn < 2; turn += 1) {
    const { state, output, statuses } = await runSaladJob(`${server.url}/predict/stub`, 'a', { data: 'text' });
    assert.deepEqual([state, statuses, (output as { code: string }).code], ['succeeded', [413], 'TOO_LARGE']);
  }
  assert.equal(server.items.length, 1);
});

test('an answer beyond the 10 MB goes to JOB_OUTPUT, and the reply says where', async (t) => {
  const text = 'x'.repeat(10_000_000);
  const folder = await temporaryFolder(t);
  const JOB_OUTPUT = pathToFileURL(path.join(folder, 'answers')).href;
  const models = [modelOf(() => Promise.resolve({ json: { text } }))];
  await using server = await startStubServer(models, { JOB_OUTPUT });
  const url = `${server.url}/predict/stub`;
  const { state, output, statuses } = await runSaladJob(url, '../../a,b', { data: 'text' });
  assert.deepEqual([state, statuses], ['succeeded', [200]]);
  const { stored_at: storedAt, bytes } = output as { stored_at: string; bytes: number };
  const [file = '', ...others] = await filesIn(folder);
  assert.deepEqual(others, []);
  assert.match(file, /^answers\/\.\._\.\._a_b-[\w-]{16}\.json$/);
  assert.equal(storedAt, `${JOB_OUTPUT}/${path.basename(file)}`);
  const stored = await readFile(path.join(folder, file));
  assert.equal(bytes, stored.length);
  assert.deepEqual(JSON.parse(stored.toString()), { result: { text } });
  // A later attempt gets the same reply, and nothing is stored again.
  assert.deepEqual((await runSaladJob(url, '../../a,b', { data: 'text' })).output, output);
  assert.equal(server.items.length, 1);
});

test('an answer that cannot be stored makes the platform try again', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, 'file'), '');
  const JOB_OUTPUT = pathToFileURL(path.join(folder, 'file', 'below')).href;
  const models = [modelOf(() => Promise.resolve({ json: { text: 'x'.repeat(10_000_000) } }))];
  await using server = await startStubServer(models, { JOB_OUTPUT });
  const reply = await postJob(`${server.url}/predict/stub`, { id: 'a', input: { data: 'text' } });
  assert.equal(reply.status, 503);
});

test('a job is refused with 503 while the server starts, drains or has failed', async () => {
  await using server = await startStubServer([modelOf(() => Promise.resolve({ json: {} }))]);
  server.state.enter('draining', 'test');
  assert.equal((await postJob(`${server.url}/predict/stub`, { id: 'a', input: { data: 'text' } })).status, 503);
  server.state.enter('failed', 'test');
  assert.equal((await postJob(`${server.url}/predict/stub`, { id: 'a', input: { data: 'text' } })).status, 503);
});
