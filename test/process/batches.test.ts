import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Carpool } from './carpool.ts';

const LINES = 3000;
const KILLS = 3;

test('a batch is whole and in order, though the server is killed at random moments and its input is deleted', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-batches-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const start = async (): Promise<Carpool> => {
    const server = await Carpool.start({ MODELS: 'square', JOBS_DIR: folder });
    t.after(() => server[Symbol.asyncDispose]());
    return server;
  };
  let server = await start();
  const lines = Array.from({ length: LINES }, (_, data) =>
    JSON.stringify({ custom_id: `r${data}`, method: 'POST', url: '/predict/square', body: { data } }),
  );
  const form = new FormData();
  form.set('file', new Blob([`${lines.join('\n')}\n`]), 'requests.jsonl');
  form.set('purpose', 'batch');
  const file = (await (await fetch(`${server.url}/v1/files`, { method: 'POST', body: form })).json()) as { id: string };
  const asked = { input_file_id: file.id, endpoint: '/predict/square', completion_window: '24h' };
  const { id } = (await server.post('/v1/batches', asked)).body as { id: string };
  await fetch(`${server.url}/v1/files/${file.id}`, { method: 'DELETE' });
  for (let killed = 0; killed < KILLS; killed += 1) {
    const killAfterMs = Math.random() * 400;
    t.diagnostic(`kill ${killed} after ${killAfterMs} ms`);
    await sleep(killAfterMs);
    await server[Symbol.asyncDispose]();
    server = await start();
  }
  let batch: { status: string; output_file_id: string | null };
  do {
    await sleep(20);
    batch = (await server.get(`/v1/batches/${id}`)).body as typeof batch;
    assert.ok(['validating', 'in_progress', 'finalizing', 'completed'].includes(batch.status), batch.status);
  } while (batch.status !== 'completed');
  const text = await (await fetch(`${server.url}/v1/files/${batch.output_file_id ?? ''}/content`)).text();
  const results = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { custom_id: string; response: { body: { result: number } } });
  assert.deepEqual(
    results.map(({ custom_id }) => custom_id),
    lines.map((_, data) => `r${data}`),
  );
  assert.ok(results.every(({ response }, data) => response.body.result === data * data));
});
