import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { digestOfKey } from '../../../src/config/api-keys.ts';
import { ask, startTestServer, type Answer } from '../in-process.ts';

type Json = Readonly<Record<string, unknown>>;

function idOf({ json }: Answer): string {
  return String((json as Json)['id']);
}

function idsOf({ json }: Answer): unknown[] {
  return (json as { data: Json[] }).data.map(({ id }) => id);
}

test('jobs, files and batches of one key are not there for another, and all are for one that manages', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-owner-'));
  const entries = ['ann', 'ben', 'boss'].map((name) => `${name}:${digestOfKey(name)}:infer`);
  const server = await startTestServer({
    MODELS: 'square',
    JOBS_DIR: folder,
    API_KEYS: `${entries.join()}:manage`,
  });
  t.after(async () => {
    await server.drain();
    await rm(folder, { recursive: true, force: true });
  });
  const send = (who: string, method: string, route: string, body?: string | FormData): Promise<Answer> =>
    ask(server.url + route, {
      method,
      headers: {
        'X-API-Key': who,
        'Idempotency-Key': 'same',
        ...(typeof body === 'string' ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(body === undefined ? {} : { body }),
    });
  const upload = (who: string): Promise<Answer> => {
    const form = new FormData();
    form.set('purpose', 'batch');
    const line = { custom_id: 'a', method: 'POST', url: '/predict/square', body: { data: 2 } };
    form.set('file', new Blob([`${JSON.stringify(line)}\n`]), 'a.jsonl');
    return send(who, 'POST', '/v1/files', form);
  };
  const job = '{"url":"/predict/square","body":{"data":7}}';
  const batchOf = (file: string): string =>
    JSON.stringify({ input_file_id: file, endpoint: '/predict/square', completion_window: '24h' });

  const first = idOf(await send('ann', 'POST', '/v1/jobs', job));
  // The same name of a job of somebody else is another job.
  const second = idOf(await send('ben', 'POST', '/v1/jobs', '{"url":"/predict/square","body":{"data":8}}'));
  assert.notEqual(first, second);
  assert.equal(idOf(await send('ann', 'POST', '/v1/jobs', job)), first);
  const file = idOf(await upload('ann'));
  const batch = idOf(await send('ann', 'POST', '/v1/batches', batchOf(file)));
  for (let tries = 0; ; tries += 1) {
    const { json } = await send('ann', 'GET', `/v1/batches/${batch}`);
    const { status, output_file_id: output } = json as Json;
    assert.ok(tries < 6000, 'the batch has not ended');
    if (status !== 'completed') await new Promise((resolve) => setTimeout(resolve, 5));
    else {
      const results = await send('ann', 'GET', `/v1/files/${String(output)}/content`);
      assert.match(Buffer.from(results.bytes).toString(), /"result":4/);
      assert.equal((await send('ben', 'GET', `/v1/files/${String(output)}/content`)).status, 404);
      break;
    }
  }
  for (const [method, route, absent] of [
    ['GET', '/v1/jobs/', first],
    ['DELETE', '/v1/jobs/', first],
    ['GET', '/v1/files/', file],
    ['DELETE', '/v1/files/', file],
    ['GET', '/v1/batches/', batch],
    ['POST', '/v1/batches/', `${batch}/cancel`],
  ] as const) {
    const refused = await send('ben', method, route + absent);
    const unknown = await send('ben', method, route + absent.replace(/\d/g, '0'));
    assert.deepEqual([refused.status, unknown.status], [404, 404], method + route);
    const told = ({ bytes }: Answer): string =>
      Buffer.from(bytes)
        .toString()
        .replaceAll(/_[\da-f]+|-[\da-f]+/g, '');
    assert.equal(told(refused), told(unknown));
  }
  assert.equal((await send('ben', 'POST', '/v1/batches', batchOf(file))).status, 404);
  for (const [route, own, foreign] of [
    ['/v1/jobs', first, second],
    ['/v1/files', file, undefined],
    ['/v1/batches', batch, undefined],
  ] as const) {
    assert.ok(idsOf(await send('ann', 'GET', route)).includes(own), route);
    assert.ok(!idsOf(await send('ann', 'GET', route)).includes(foreign), route);
    assert.deepEqual(idsOf(await send('ben', 'GET', route)), foreign === undefined ? [] : [foreign], route);
    assert.ok(idsOf(await send('boss', 'GET', route)).includes(own), route);
  }
  assert.deepEqual(idsOf(await send('ann', 'GET', '/v1/jobs?status=cancelled')), []);
  assert.equal((await send('boss', 'GET', `/v1/jobs/${first}`)).status, 200);
  assert.equal((await send('ann', 'DELETE', `/v1/jobs/${first}`)).status, 200);
});
