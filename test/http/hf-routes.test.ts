import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { ask, post } from './in-process.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

/** What a model was given, as its reply. */
function echo(name: string, task: string): StubModel {
  return {
    name,
    task,
    serve: (item) => {
      if (item.kind === 'raw') return Promise.resolve({ json: [item.contentType, item.bytes.byteLength] });
      if (item.value === 'bad') return Promise.reject(new ServerError('INVALID_INPUT', 'This text is bad.'));
      return Promise.resolve({ json: [{ value: item.value, parameters: item.parameters ?? null }] });
    },
  };
}
const ner = echo('ner', 'token-classification');
const classifier = echo('classifier', 'text-classification');
const speech = echo('speech', 'transcription');
const embedder: StubModel = {
  name: 'embedder',
  task: 'embeddings',
  serve: () => Promise.resolve({ json: { embedding: [1, 2], tokens: 1 } }),
};

test('/models/<model> takes a text or a list with parameters, and answers without a wrapper', async () => {
  await using server = await startStubServer([ner, embedder]);
  const asked = async (path: string, body: unknown) => (await post(`${server.url}${path}`, JSON.stringify(body))).json;
  assert.deepEqual(await asked('/models/ner', { inputs: 'a', options: { wait_for_model: true } }), [
    { value: 'a', parameters: null },
  ]);
  assert.deepEqual(await asked('/models/owner/ner', { inputs: ['a', 'b'], parameters: { stride: 2 } }), [
    [{ value: 'a', parameters: { stride: 2 } }],
    [{ value: 'b', parameters: { stride: 2 } }],
  ]);
  assert.deepEqual(await asked('/models/ner', { inputs: { question: 'q', context: 'c' } }), [
    { value: { question: 'q', context: 'c' }, parameters: null },
  ]);
  assert.deepEqual(await asked('/models/embedder/pipeline/feature-extraction', { inputs: ['a', 'b'] }), [
    [1, 2],
    [1, 2],
  ]);
});

test('a classifier of texts answers a single text with a list in a list, and candidate labels with one list', async () => {
  await using server = await startStubServer([classifier]);
  const asked = async (body: unknown) => (await post(`${server.url}/models/classifier`, JSON.stringify(body))).json;
  assert.deepEqual(await asked({ inputs: 'a' }), [[{ value: 'a', parameters: null }]]);
  const parameters = { candidate_labels: ['x', 'y'] };
  assert.deepEqual(await asked({ inputs: 'a', parameters }), [{ value: 'a', parameters }]);
  assert.deepEqual(await asked({ inputs: ['a'], parameters }), [{ value: 'a', parameters }]);
  const [first, second] = ['a', 'b'].map((value) => [{ value, parameters }]);
  assert.deepEqual(await asked({ inputs: ['a', 'b'], parameters }), [first, second]);
  const root = await post(`${server.url}/`, JSON.stringify({ inputs: 'a', parameters }));
  assert.deepEqual(root.json, [{ value: 'a', parameters }]);
});

test('bytes are taken as they are, with a type or without', async () => {
  await using server = await startStubServer([speech]);
  const send = (path: string, headers: Record<string, string>) =>
    ask(`${server.url}${path}`, { method: 'POST', headers, body: Buffer.from('RIFF....') });
  assert.deepEqual((await send('/models/speech', { 'Content-Type': 'audio/flac' })).json, ['audio/flac', 8]);
  assert.deepEqual((await send('/models/speech', {})).json, ['application/octet-stream', 8]);
  assert.deepEqual((await send('/', { 'Content-Type': 'audio/wav' })).json, ['audio/wav', 8]);
});

test("/predict of a model that is only Hugging Face's takes inputs", async () => {
  await using server = await startStubServer([ner]);
  const body = JSON.stringify({ inputs: 'a' });
  for (const path of ['/predict', '/predict/ner', '/'])
    assert.deepEqual((await post(`${server.url}${path}`, body)).json, [{ value: 'a', parameters: null }], path);
  const native = await post(`${server.url}/predict`, JSON.stringify({ data: 'a' }));
  assert.deepEqual(native.json, { result: [{ value: 'a', parameters: null }] });
});

test('errors are a text', async () => {
  await using server = await startStubServer([ner]);
  const asked = (body: unknown, path = '/models/ner') => post(`${server.url}${path}`, JSON.stringify(body));
  const status = async (body: unknown, path?: string) => (await asked(body, path)).status;
  assert.equal(await status({ inputs: 'bad' }), 422);
  assert.equal(await status({ inputs: [] }), 400);
  assert.equal(await status({ inputs: 5 }), 422);
  assert.equal(await status({}), 422);
  assert.equal(await status({ inputs: 'a' }, '/models/none'), 404);
  const { json } = await asked({ inputs: ['a', 'bad'] });
  assert.match((json as { error: string }).error, /inputs\[1\]/);
});
