import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { startTestServer, type TestServer } from '../http/in-process.ts';

/** The batch example of OpenAI's own clients, unchanged. */

async function rig(t: TestContext): Promise<{ server: TestServer; input: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-openai-'));
  const server = await startTestServer({ MODELS: 'square', JOBS_DIR: path.join(folder, 'jobs') });
  t.after(async () => {
    await server.drain();
    await rm(folder, { recursive: true, force: true });
  });
  const input = path.join(folder, 'requests.jsonl');
  const lines = Array.from({ length: 100 }, (_, data) => ({
    custom_id: `request-${data}`,
    method: 'POST',
    url: '/predict/square',
    body: { data: data === 7 ? 'seven' : data },
  }));
  await writeFile(input, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return { server, input };
}

test('the official openai client for Node: files, batches, pages and errors', { timeout: 120_000 }, async (t) => {
  const { server, input } = await rig(t);
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' });
  const file = await client.files.create({ file: createReadStream(input), purpose: 'batch' });
  const { id } = await client.batches.create({
    input_file_id: file.id,
    // The types of the client know OpenAI's own endpoints alone.
    endpoint: '/predict/square' as '/v1/embeddings',
    completion_window: '24h',
    metadata: { for: 'a test' },
  });
  let batch = await client.batches.retrieve(id);
  while (batch.status !== 'completed') {
    assert.ok(['validating', 'in_progress', 'finalizing'].includes(batch.status), batch.status);
    await new Promise((resolve) => setTimeout(resolve, 20));
    batch = await client.batches.retrieve(id);
  }
  assert.deepEqual(batch.request_counts, { total: 100, completed: 99, failed: 1 });
  const text = await (await client.files.content(batch.output_file_id ?? '')).text();
  const results = text.trim().split('\n');
  assert.equal(results.length, 99);
  const first = JSON.parse(results[2] ?? '') as { custom_id: string; response: { body: unknown } };
  assert.deepEqual([first.custom_id, first.response.body], ['request-2', { result: 4 }]);
  const ids: string[] = [];
  for await (const one of client.files.list({ limit: 1 })) ids.push(one.id);
  assert.equal(ids.length, 3);
  assert.equal((await client.batches.list()).data[0]?.id, id);
  assert.equal((await client.files.delete(file.id)).deleted, true);
  await assert.rejects(client.files.retrieve(file.id), OpenAI.NotFoundError);
  await assert.rejects(client.batches.cancel(id), OpenAI.BadRequestError);
});

const python = process.env['CARPOOL_PYTHON'] ?? 'python3';
const found = spawnSync(python, ['-c', 'import openai']).status === 0;
const SCRIPT = fileURLToPath(new URL('../../../test/clients/openai_batch_check.py', import.meta.url));

test(
  'the official openai client for Python: files, batches, pages and errors',
  { skip: found ? false : 'no Python with openai: set CARPOOL_PYTHON', timeout: 120_000 },
  async (t) => {
    const { server, input } = await rig(t);
    const { stdout } = await promisify(execFile)(python, [SCRIPT, server.url, input]);
    assert.equal(stdout.trim(), 'all right');
  },
);
