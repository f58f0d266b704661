import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { SHIPPED_MODELS } from '../process/carpool.ts';
import { ask, startTestServer } from './in-process.ts';
import { startStubServer } from './stub-services.ts';

test(
  'a model tells what it takes, with its example; one that sleeps is not loaded for that',
  { timeout: 60_000 },
  async () => {
    await using server = await startTestServer({ MODELS: 'square,super-resolution,sentence-embedding' });
    const about = async (name: string): Promise<Record<string, unknown>> => {
      const { status, json } = await ask(`${server.url}/predict/${name}`);
      assert.equal(status, 200);
      return json as Record<string, unknown>;
    };
    const { description, ...square } = await about('square');
    assert.match(String(description), /square of a number/);
    assert.deepEqual(square, {
      name: 'square',
      version: '1',
      task: 'tensors',
      licence: 'MIT',
      loaded: true,
      example: { data: 3 },
      inputs: [{ name: 'x', datatype: 'FP64', shape: [-1], batch_axis: 0 }],
      outputs: [{ name: 'y', datatype: 'FP64', shape: [-1], batch_axis: 0 }],
    });
    const asleep = await about('sentence-embedding');
    assert.deepEqual(
      [asleep['loaded'], asleep['task'], asleep['example']],
      [false, 'embeddings', { data: 'Where is the next library?' }],
    );
    assert.equal((await about('sentence-embedding'))['loaded'], false);

    const { example } = await about('super-resolution');
    assert.deepEqual(example, {
      file: 'predict/super-resolution/example',
      contentType: 'image/png',
      name: 'example.png',
    });
    const file = await ask(`${server.url}/predict/super-resolution/example`);
    assert.deepEqual(
      Buffer.from(file.bytes),
      readFileSync(path.join(SHIPPED_MODELS, 'super-resolution', 'example.png')),
    );
    assert.equal(file.headers.get('content-type'), 'image/png');
    assert.match(file.headers.get('content-security-policy') ?? '', /sandbox/);
    assert.equal((await ask(`${server.url}/predict/square/example`)).status, 404);
  },
);

test('who may not see models is told nothing of one', async () => {
  const model = { name: 'm', task: 'chat', serve: () => Promise.resolve({ json: {} }) };
  await using server = await startStubServer([model], { API_KEY: 'secret' });
  const headers = { Authorization: 'Bearer secret' };
  for (const place of ['m', 'm/example']) assert.equal((await ask(`${server.url}/predict/${place}`)).status, 401);
  assert.equal((await ask(`${server.url}/predict/m`, { headers })).status, 200);
  assert.equal((await ask(`${server.url}/predict/other`, { headers })).status, 404);
  assert.equal(
    (await ask(`${server.url}/predict/m`, { method: 'DELETE', headers })).headers.get('allow'),
    'GET, POST, HEAD, OPTIONS',
  );
});

test('a model tells what requests may name, as its task knows it', async () => {
  const serve = (): Promise<never> => Promise.reject(new Error('not asked'));
  const speaker = { voices: () => ['amy'], formats: () => Promise.resolve(['wav', 'mp3']), languages: () => [] };
  await using server = await startStubServer([
    { name: 'speaker', task: 'text-to-speech', serve, calls: speaker },
    { name: 'guesser', task: 'fill-mask', serve, calls: { mask: () => '<mask>' } },
  ]);
  const choices = async (name: string): Promise<unknown> => {
    const { voices, formats, languages, mask } = (await ask(`${server.url}/predict/${name}`)).json as Record<
      string,
      unknown
    >;
    return { voices, formats, languages, mask };
  };
  const none = { voices: undefined, formats: undefined, languages: undefined, mask: undefined };
  assert.deepEqual(await choices('speaker'), { ...none, voices: ['amy'], formats: ['wav', 'mp3'] });
  assert.deepEqual(await choices('guesser'), { ...none, mask: '<mask>' });
});
