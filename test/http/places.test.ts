import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { filesIn, temporaryFolder } from '../storage/support.ts';
import { ObjectServer, pattern } from '../storage/http/object-server.ts';
import { ask, post, startTestServer, type TestServer } from './in-process.ts';

interface Result {
  readonly response: { readonly status_code: number; readonly body: Record<string, unknown> };
}

interface Stored {
  readonly status: string;
  readonly result: Result | null;
}

async function rig(t: TestContext) {
  const folder = await temporaryFolder(t);
  const objects = await ObjectServer.start(t);
  const out = pathToFileURL(path.join(folder, 'out')).href;
  const options = {
    MODELS: 'square',
    JOBS_DIR: path.join(folder, 'jobs'),
    STORAGE_PLACES: `${objects.url}/bucket/,${out}/`,
    STORAGE_CACHE_DIR: path.join(folder, 'cache'),
  };
  return { folder, objects, out, options };
}

async function endOf(server: TestServer, job: object): Promise<{ status: string; result: Result }> {
  const sent = await post(`${server.url}/v1/jobs`, JSON.stringify(job));
  assert.equal(sent.status, 202, Buffer.from(sent.bytes).toString());
  const { id } = sent.json as { id: string };
  for (;;) {
    const { status, result } = (await ask(`${server.url}/v1/jobs/${id}`)).json as Stored;
    if (result !== null) return { status, result };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a job whose body and answer lie elsewhere: nothing of its URLs is told', { timeout: 60_000 }, async (t) => {
  const { folder, objects, out, options } = await rig(t);
  objects.objects.set('/bucket/body', Buffer.from(JSON.stringify({ items: Array.from({ length: 100 }, () => 7) })));
  await using server = await startTestServer(options);
  const body = `${objects.url}/bucket/body?X-Amz-Signature=SECRET1`;
  const put = `${objects.url}/bucket/answer?X-Amz-Signature=SECRET2`;
  for (const output of [`${out}/answer.json`, { url: put }]) {
    const { status, result } = await endOf(server, { url: '/predict/square', body: { url: body }, output });
    assert.equal(status, 'completed');
    assert.equal(result.response.body['bytes'], 1413);
    assert.doesNotMatch(JSON.stringify(result), /SECRET/);
  }
  const answer = await readFile(path.join(folder, 'out', 'answer.json'));
  assert.deepEqual(JSON.parse(answer.toString()), { results: Array.from({ length: 100 }, () => ({ result: 49 })) });
  assert.ok(objects.objects.get('/bucket/answer')?.equals(answer));
  // Fetched once: asked twice whether it is the same.
  const gets = objects.requests.filter((request) => request.startsWith('GET'));
  assert.equal(gets.filter((request) => !request.endsWith('bytes=0-0')).length, 1);
  assert.equal((await filesIn(path.join(folder, 'cache', 'objects'))).length, 1);
  assert.doesNotMatch(server.logLines.join(), /SECRET/);
});

test(
  'an answer that cannot be stored is a failure, not a success without an answer',
  { timeout: 60_000 },
  async (t) => {
    const { objects, options } = await rig(t);
    objects.trouble = (_, response) => {
      response.writeHead(403).end();
      return true;
    };
    await using server = await startTestServer({ ...options, JOB_ATTEMPTS: '3' });
    const output = { url: `${objects.url}/bucket/answer?SECRET` };
    const { status, result } = await endOf(server, { url: '/predict/square', body: { data: 3 }, output });
    assert.equal(status, 'failed');
    // A presigned URL that is refused stays so: the answer is computed once.
    assert.equal(result.response.status_code, 422);
    assert.equal(
      (await (await fetch(`${server.url}/metrics`)).text()).match(/carpool_items_total\{.*outcome="ok"\} (\d+)/)?.[1],
      '1',
    );
    assert.match(JSON.stringify(result), /The answer was not stored.*status 403/);
    assert.doesNotMatch(JSON.stringify(result) + server.logLines.join(), /SECRET/);
  },
);

test('a job that names a place which is not allowed is refused', { timeout: 60_000 }, async (t) => {
  const { objects, options } = await rig(t);
  await using server = await startTestServer(options);
  for (const job of [
    { body: 'file:///etc/passwd' },
    { body: `${objects.url}/elsewhere` },
    { body: 'http://169.254.169.254/latest/meta-data' },
    { body: { data: 3 }, output: 'file:///tmp/x' },
    { body: { data: 3 }, output: 's3://bucket/x' },
  ]) {
    const { status, result } = await endOf(server, { url: '/predict/square', ...job });
    assert.equal(status, 'failed');
    assert.equal(result.response.status_code, 422);
    assert.match(JSON.stringify(result), /STORAGE_PLACES/);
  }
  assert.deepEqual(objects.requests, []);
});

test('a large object comes whole through cuts and changes of its server', { timeout: 60_000 }, async (t) => {
  const { objects, options, out, folder } = await rig(t);
  const text = (seed: number): Buffer => Buffer.from(JSON.stringify({ items: [...pattern(3_200_000, seed)] }));
  const [before, after] = [text(1), text(2)];
  objects.objects.set('/bucket/body', before);
  let requests = 0;
  objects.trouble = (request, response) => {
    requests += 1;
    // The second answer breaks off, and during the fourth the object becomes another one.
    if (requests === 4) objects.objects.set('/bucket/body', after);
    if (requests !== 2) return false;
    request.socket.destroy();
    response.destroy();
    return true;
  };
  await using server = await startTestServer({ ...options, ITEM_LIMIT: '10', STORAGE_CACHE_DIR: '' });
  const job = { url: '/predict/square', body: `${objects.url}/bucket/body`, output: `${out}/x` };
  const { result } = await endOf(server, job);
  // It is read whole, and then refused for its number of items.
  assert.match(JSON.stringify(result.response.body), /may have 10 items at most, not 3200000/);
  assert.deepEqual(await filesIn(folder).then((files) => files.filter((file) => file.startsWith('out'))), []);
});

test(
  'what an item names is fetched from a large body, too, and not where that is not allowed',
  { timeout: 60_000 },
  async (t) => {
    const { objects, options } = await rig(t);
    const image = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#80a0c0' } })
      .png()
      .toBuffer();
    objects.objects.set('/bucket/image.png', image);
    const items = [{ image: `${objects.url}/bucket/image.png` }, { image: image.toString('base64') }];
    const body = JSON.stringify({ items });
    // Beyond this size bodies are decoded on another thread.
    const large = body + ' '.repeat(200_000);
    await using server = await startTestServer({ ...options, MODELS: 'super-resolution' });
    const answers = await Promise.all([body, large].map((one) => post(`${server.url}/predict/super-resolution`, one)));
    const [, second] = answers.map(({ json }) => json as { results: unknown[] });
    assert.equal(second?.results.length, 2);
    assert.deepEqual(second.results[0], second.results[1]);
    assert.deepEqual(answers[1]?.json, answers[0]?.json);
    const elsewhere =
      JSON.stringify({ items: [{ image: 'https://example.com/a.png' }, items[1]] }) + ' '.repeat(200_000);
    const refused = (await post(`${server.url}/predict/super-resolution`, elsewhere)).json as typeof second;
    assert.match(JSON.stringify(refused.results[0]), /INVALID_INPUT/);
    assert.deepEqual(refused.results[1], second.results[1]);
  },
);
