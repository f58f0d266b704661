import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { CarpoolClient, CarpoolError } from '../../src/client/client.ts';
import { startTestServer } from '../http/in-process.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';

test('the client reaches a real server: items, files, tensors, jobs and refusals', { timeout: 120_000 }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-client-'));
  const server = await startTestServer({
    MODELS: 'square,language-id,super-resolution',
    JOBS_DIR: folder,
  });
  t.after(async () => {
    await server.drain();
    await rm(folder, { recursive: true, force: true });
  });
  const client = new CarpoolClient({ baseUrl: `${server.url}/`, timeoutMs: 30_000 });

  await t.test('one item, and many of which one fails', async () => {
    assert.equal(await client.ready(), true);
    assert.equal(await client.predict<number>('square', 7), 49);
    const labels = await client.predict<{ label: string }[]>('language-id', 'Wo ist der Bahnhof, bitte?', {
      parameters: { top_k: 1 },
    });
    assert.deepEqual(
      labels.map(({ label }) => label),
      ['deu'],
    );
    const [first, second, third] = await client.predictItems<number>('square', [1, 'x', 3]);
    assert.deepEqual([first, third], [{ result: 1 }, { result: 9 }]);
    assert.ok(second !== undefined && 'code' in second && second.code === 'INVALID_INPUT');
  });

  await t.test('a file comes back as a Blob, or as text in JSON', async () => {
    const bytes = await readFile(path.join(SHIPPED_MODELS, 'super-resolution', 'example.png'));
    const image = new Blob([bytes], { type: 'image/png' });
    const larger = await client.predict<Blob>('super-resolution', image);
    assert.equal(larger.type, 'image/png');
    assert.ok(larger.size > 1000);
    const text = await client.predict<string>('super-resolution', image, { accept: 'application/json' });
    assert.deepEqual(Buffer.from(text, 'base64'), Buffer.from(await larger.arrayBuffer()));
    await assert.rejects(client.predict('super-resolution', image, { parameters: { top_k: 1 } }), TypeError);
  });

  await t.test('tensors go and come in binary', async () => {
    const x = { shape: [3], data: Float64Array.of(3, 0.5, -2) };
    const reply = await client.infer('square', { x }, { id: 'mine', outputs: ['y'] });
    assert.deepEqual(reply, {
      model: 'square',
      version: '1',
      id: 'mine',
      outputs: { y: { shape: [3], datatype: 'FP64', data: Float64Array.of(9, 0.25, 4) } },
    });
    assert.deepEqual((await client.infer('square', { x }, { version: 1 })).outputs['y']?.shape, [3]);
    await assert.rejects(client.infer('square', { x: { ...x, shape: [2] } }), TypeError);
  });

  await t.test('a refusal has its code, its status and the id of the request', async () => {
    const refusal = async (work: Promise<unknown>): Promise<unknown[]> => {
      const error = await work.catch((cause: unknown) => cause);
      assert.ok(error instanceof CarpoolError);
      return [error.status, error.code, error.requestId, error.retryable];
    };
    const requestId = 'from-the-client';
    assert.deepEqual(await refusal(client.predict('square', 'x', { requestId })), [
      422,
      'INVALID_INPUT',
      requestId,
      false,
    ]);
    assert.deepEqual(await refusal(client.get('/nowhere', { requestId })), [404, 'NOT_FOUND', requestId, false]);
    const chat = client.post(
      '/v1/chat/completions',
      { model: 'none', messages: [{ role: 'user', content: 'Hi' }] },
      { requestId },
    );
    assert.deepEqual(await refusal(chat), [404, 'model_not_found', requestId, false]);
    assert.deepEqual(await refusal(client.post('/embed', { inputs: [] }, { requestId })), [
      400,
      'BAD_REQUEST',
      requestId,
      false,
    ]);
  });

  await t.test('a job is handed in once, waited for, listed and forgotten', async () => {
    const job = { url: '/predict/square', body: { data: 7 } };
    assert.deepEqual(await client.jobs.run(job, { pollMs: 5 }), { result: 49 });
    const first = await client.jobs.submit({ ...job, custom_id: 'a1' });
    assert.equal((await client.jobs.submit({ ...job, custom_id: 'a1' })).id, first.id);
    assert.equal((await client.jobs.wait(first.id, { pollMs: 5 })).status, 'completed');
    const wrong = { url: '/predict/square', body: { data: 'x' } };
    await assert.rejects(client.jobs.run(wrong, { pollMs: 5 }), {
      name: 'CarpoolError',
      code: 'INVALID_INPUT',
      status: 422,
    });
    const page = await client.jobs.list({ status: 'completed', limit: 1 });
    assert.deepEqual([page.data.length, page.has_more], [1, true]);
    await client.jobs.delete(first.id);
    await assert.rejects(client.jobs.get(first.id), { status: 404 });
  });
});
