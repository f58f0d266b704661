import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { ask, post, startTestServer, type Answer, type TestServer } from './in-process.ts';

async function start(t: TestContext, options: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-files-'));
  const server = await startTestServer({ MODELS: 'square', JOBS_DIR: folder, ...options });
  t.after(async () => {
    await server.drain();
    await rm(folder, { recursive: true, force: true });
  });
  return server;
}

type Fields = Readonly<Record<string, string>>;

function upload(server: TestServer, text: string, fields: Fields = { purpose: 'batch' }): Promise<Answer> {
  const form = new FormData();
  // As the clients do: the file before the fields.
  form.set('file', new Blob([text]), 'requests.jsonl');
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  return ask(`${server.url}/v1/files`, { method: 'POST', body: form });
}

type Json = Readonly<Record<string, unknown>>;
const json = ({ json: value }: Answer): Json => value as Json;
const errorOf = (answer: Answer): Json => json(answer)['error'] as Json;

const line = (data: unknown, name = `r${String(data)}`): string =>
  `${JSON.stringify({ custom_id: name, method: 'POST', url: '/predict/square', body: { data } })}\n`;

function create(server: TestServer, inputId: unknown, more: Json = {}): Promise<Answer> {
  const asked = { input_file_id: inputId, endpoint: '/predict/square', completion_window: '24h', ...more };
  return post(`${server.url}/v1/batches`, JSON.stringify(asked));
}

async function ended(server: TestServer, id: unknown): Promise<Json> {
  for (let tries = 0; tries < 6000; tries += 1) {
    const batch = json(await ask(`${server.url}/v1/batches/${String(id)}`));
    if (['completed', 'failed', 'cancelled', 'expired'].includes(String(batch['status']))) return batch;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('the batch has not ended');
}

test('files are stored, listed, read and deleted', async (t) => {
  const server = await start(t);
  const text = 'x'.repeat(300_000);
  const first = await upload(server, text);
  assert.equal(first.status, 200);
  const { id, bytes, filename, purpose, object, status, created_at, expires_at } = json(first);
  assert.deepEqual(
    [bytes, filename, purpose, object, status],
    [300_000, 'requests.jsonl', 'batch', 'file', 'processed'],
  );
  assert.equal(Number(expires_at) - Number(created_at), 30 * 86_400);
  const second = json(
    await upload(server, 'b', {
      purpose: 'batch',
      'expires_after[anchor]': 'created_at',
      'expires_after[seconds]': '3600',
    }),
  );
  assert.equal(Number(second['expires_at']) - Number(second['created_at']), 3600);
  const page = json(await ask(`${server.url}/v1/files?limit=1`));
  assert.deepEqual([page['has_more'], page['last_id']], [true, second['id']]);
  const next = json(await ask(`${server.url}/v1/files?limit=1&after=${String(second['id'])}`));
  assert.deepEqual([next['has_more'], next['first_id']], [false, id]);
  assert.deepEqual(json(await ask(`${server.url}/v1/files/${String(id)}`)), json(first));
  const content = await ask(`${server.url}/v1/files/${String(id)}/content`);
  assert.equal(Buffer.from(content.bytes).toString(), text);
  const deleted = await ask(`${server.url}/v1/files/${String(id)}`, { method: 'DELETE' });
  assert.deepEqual(json(deleted), { id, object: 'file', deleted: true });
  assert.equal((await ask(`${server.url}/v1/files/${String(id)}/content`)).status, 404);
});

test('what is wrong with a file is told as OpenAI tells it, and nothing of it stays', async (t) => {
  const server = await start(t, { FILE_LIMIT_BYTES: '100000', FILE_STORE_BYTES: '1048576' });
  const refused: [Promise<Answer>, number, unknown][] = [
    [upload(server, 'a', {}), 400, 'purpose'],
    [upload(server, 'a', { purpose: 'fine-tune' }), 400, 'purpose'],
    [
      upload(server, 'a', { purpose: 'batch', 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '5' }),
      400,
      'expires_after',
    ],
    [upload(server, 'a'.repeat(100_001)), 413, 'file'],
    // Refused while most of it is still to come.
    [upload(server, 'a'.repeat(10_000_000)), 413, 'file'],
    [post(`${server.url}/v1/files`, '{}'), 400, null],
    [post(`${server.url}/v1/files`, '--b\r\n', { 'Content-Type': 'multipart/form-data; boundary=b' }), 400, null],
  ];
  for (const [answer, status, param] of refused) {
    const one = await answer;
    assert.deepEqual([one.status, errorOf(one)['param']], [status, param], Buffer.from(one.bytes).toString());
  }
  const metrics = Buffer.from((await ask(`${server.url}/metrics`)).bytes).toString();
  assert.match(metrics, /^carpool_file_store_bytes 0$/m);
  const answers = [];
  for (let files = 0; files < 7; files += 1) answers.push((await upload(server, 'a'.repeat(90_000))).status);
  assert.deepEqual(answers, [200, 200, 200, 200, 200, 429, 429]);
});

test('a form that is cut off is refused at whatever place, and leaves nothing behind', async (t) => {
  const server = await start(t);
  const part = (name: string): string =>
    `--b\r\nContent-Disposition: form-data; name="${name}"; filename="f"\r\n\r\nx\r\n`;
  for (const body of [
    part('file'),
    `${part('file')}${part('file')}`,
    part('file').slice(0, -4),
    part('file').slice(0, 20),
  ]) {
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    const answer = await ask(`${server.url}/v1/files`, { method: 'POST', headers, body });
    assert.equal(answer.status, 400);
    assert.match(String(errorOf(answer)['message']), /its last line, --b--, is missing/);
  }
  assert.deepEqual(json(await ask(`${server.url}/v1/files`))['data'], []);
});

test('a client that leaves while it sends a file leaves nothing behind', async (t) => {
  const server = await start(t);
  const gone = new AbortController();
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
  const body = new ReadableStream({
    async pull(controller) {
      controller.enqueue(Buffer.from(head + 'a'.repeat(100_000)));
      for (;;) {
        const metrics = Buffer.from((await ask(`${server.url}/metrics`)).bytes).toString();
        if (!/^carpool_file_store_bytes 0$/m.test(metrics)) break;
      }
      gone.abort();
    },
  });
  const headers = { 'Content-Type': 'multipart/form-data; boundary=b' };
  const options = { method: 'POST', body, headers, signal: gone.signal, duplex: 'half' } as RequestInit;
  await assert.rejects(ask(`${server.url}/v1/files`, options));
  for (;;) {
    const metrics = Buffer.from((await ask(`${server.url}/metrics`)).bytes).toString();
    if (/^carpool_file_store_bytes 0$/m.test(metrics)) break;
  }
});

test('a batch is answered line by line, and errors of lines are in a file of their own', async (t) => {
  const server = await start(t);
  const { id: inputId } = json(await upload(server, line(2) + line('x', 'bad') + line(3)));
  const created = await create(server, inputId, { metadata: { for: 'a test' }, model: 'ignored' });
  assert.equal(created.status, 200);
  assert.deepEqual(json(created)['request_counts'], { total: 0, completed: 0, failed: 0 });
  assert.equal(json(created)['status'], 'validating');
  const batch = await ended(server, json(created)['id']);
  assert.equal(batch['status'], 'completed');
  assert.deepEqual(batch['request_counts'], { total: 3, completed: 2, failed: 1 });
  assert.deepEqual(batch['metadata'], { for: 'a test' });
  assert.ok(Number(batch['completed_at']) >= Number(batch['finalizing_at']));
  const results = await ask(`${server.url}/v1/files/${String(batch['output_file_id'])}/content`);
  const answers = Buffer.from(results.bytes)
    .toString()
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as { custom_id: string; response: { status_code: number; body: unknown } });
  assert.deepEqual(
    answers.map(({ custom_id, response }) => [custom_id, response.status_code, response.body]),
    [
      ['r2', 200, { result: 4 }],
      ['r3', 200, { result: 9 }],
    ],
  );
  const errors = Buffer.from((await ask(`${server.url}/v1/files/${String(batch['error_file_id'])}/content`)).bytes);
  const failed = JSON.parse(errors.toString()) as { custom_id: string; response: { status_code: number } };
  assert.deepEqual([failed.custom_id, failed.response.status_code], ['bad', 422]);
  const page = json(await ask(`${server.url}/v1/batches?limit=1`));
  assert.deepEqual([page['has_more'], page['first_id']], [false, batch['id']]);
  const cancelled = await post(`${server.url}/v1/batches/${String(batch['id'])}/cancel`, '');
  assert.equal(cancelled.status, 400);
});

test('a batch that cannot be is refused, or fails with what is wrong with its lines', async (t) => {
  const server = await start(t);
  const { id } = json(await upload(server, `${line(1)}nonsense\n${line(1)}`));
  for (const [more, param] of [
    [{ endpoint: '/v1/nothing' }, 'endpoint'],
    [{ completion_window: '1h' }, 'completion_window'],
    [{ metadata: { a: 1 } }, 'metadata.a'],
    [{ input_file_id: 'file-none' }, 'id'],
    [{ webhook: 'http://127.0.0.1/' }, null],
  ] as const) {
    const refused = await create(server, id, more);
    assert.ok(refused.status === 400 || refused.status === 404);
    assert.equal(errorOf(refused)['param'], param);
  }
  const batch = await ended(server, json(await create(server, id))['id']);
  assert.equal(batch['status'], 'failed');
  const { data } = batch['errors'] as { data: { code: string; line: number }[] };
  assert.deepEqual(
    data.map((problem) => [problem.code, problem.line]),
    [
      ['invalid_json_line', 2],
      ['duplicate_custom_id', 3],
    ],
  );
});

test('without JOBS_DIR there are no files and batches', async (t) => {
  const server = await start(t, { JOBS_DIR: '' });
  assert.equal((await ask(`${server.url}/v1/files`)).status, 404);
  assert.equal((await create(server, 'file-1')).status, 404);
});
