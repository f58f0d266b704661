import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from './in-process.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

/** Caches must not give one client's compressed answer to another (RFC 9110 12.5.5), nor the answer of one media type. */

const embedding = Buffer.from(Float32Array.from([0, 1]).buffer).toString('base64');
const embedder: StubModel = {
  name: 'embedder',
  isPlain: true,
  task: 'embeddings',
  calls: { tokenize: () => [[]], decode: () => [''] },
  serve: () => Promise.resolve({ json: { embedding, tokens: 1 } }),
};

const varyOf = async (url: string, body: string, coding: string): Promise<string | null> => {
  const headers = { 'Content-Type': 'application/json', 'Accept-Encoding': coding };
  const reply = await fetch(url, { method: 'POST', body, headers });
  assert.equal(reply.status, 200, await reply.text());
  return reply.headers.get('vary');
};

for (const [path, body, vary] of [
  ['/predict/embedder', '{"data":"a"}', 'Accept, Accept-Encoding'],
  ['/v1/embeddings', '{"input":"a"}', 'Accept-Encoding'],
  ['/embed', '{"inputs":"a"}', 'Accept-Encoding'],
  ['/tokenize', '{"inputs":"a"}', 'Accept-Encoding'],
  ['/decode', '{"ids":[1]}', 'Accept-Encoding'],
] as const)
  test(`an answer of ${path} says that others may get it compressed, whether it is or not`, async () => {
    await using server = await startStubServer([embedder]);
    for (const coding of ['gzip', 'identity'])
      assert.equal(await varyOf(server.url + path, body, coding), vary, coding);
  });

test('so does an answer in tensors', async () => {
  await using server = await startTestServer({ MODELS: 'square' });
  const values = Array.from({ length: 60 }, (_, index) => index + 0.123456789);
  const body = JSON.stringify({ inputs: [{ name: 'x', shape: [60], datatype: 'FP64', data: values }] });
  for (const coding of ['gzip', 'identity'])
    assert.equal(await varyOf(`${server.url}/v2/models/square/infer`, body, coding), 'Accept-Encoding', coding);
});
