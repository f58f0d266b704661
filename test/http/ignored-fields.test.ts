import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from './in-process.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

const vectors: StubModel = {
  name: 'vectors',
  task: 'embeddings',
  serve: () => Promise.resolve({ json: { embedding: 'AAAAAA==', tokens: 1 } }),
};

test('a reply names the fields that were ignored, whatever they are called', async () => {
  await using server = await startStubServer([vectors]);
  const ignored = async (body: string) =>
    (await post(`${server.url}/v1/embeddings`, body)).headers.get('x-ignored-fields');
  assert.equal(await ignored('{"input":"a"}'), null);
  assert.equal(await ignored('{"input":"a","colour":1,"extra[]":2,"none":null}'), 'colour, extra[]');
  assert.equal(await ignored(`{"input":"a","a\\r\\nb, c":1,"${'x'.repeat(99)}":1}`), `a??b??c, ${'x'.repeat(40)}`);
  const large = JSON.stringify({ input: 'a', colour: 'x'.repeat(200_000) });
  assert.equal(await ignored(large), 'colour');
});
