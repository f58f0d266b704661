import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Carpool } from './carpool.ts';

test('lazy models are listed, loaded by requests of every kind, and unloaded when idle', async () => {
  await using carpool = await Carpool.start({
    MODELS: 'square,language-id,voice-activity',
    MODEL_LOADING: 'lazy',
    MODEL_KEEP_LOADED_MS: '1500',
    MODEL_OPTIONS: '{"voice-activity":{"loading":"eager"}}',
  });
  const url = `http://127.0.0.1:${carpool.port}`;
  const get = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
  const post = async (path: string, body: unknown): Promise<[number, unknown]> => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return [response.status, await response.json()];
  };
  const names = (await get('/v1/models')) as { data: { id: string }[] };
  assert.deepEqual(
    names.data.map(({ id }) => id),
    ['language-id', 'square', 'voice-activity'],
  );
  assert.deepEqual(await get('/ready'), { ready: true });
  assert.deepEqual(await get('/v2/models/square/ready'), { name: 'square', ready: true });
  const loads = (): unknown[] => carpool.logs.filter(({ msg }) => msg === 'model loaded').map(({ model }) => model);
  assert.deepEqual(loads(), ['voice-activity']);

  // Several at once: some come while the model is being loaded.
  const squares = await Promise.all([1, 2, 3].map((data) => post('/predict/square', { data })));
  assert.deepEqual(
    squares,
    [1, 4, 9].map((result) => [200, { result }]),
  );
  // Large enough to leave the main thread.
  const big = {
    items: Array.from(
      { length: 200 },
      (_, index) => `Nummer ${index}. ${'Wo ist die nächste Bibliothek? '.repeat(30)}`,
    ),
  };
  const [status, answer] = await post('/predict/language-id', big);
  assert.equal(status, 200);
  assert.equal((answer as { results: unknown[] }).results.length, 200);
  await carpool.log(({ msg, model }) => msg === 'model loaded' && model === 'language-id');
  assert.deepEqual(loads(), ['voice-activity', 'square', 'language-id']);

  await carpool.log(({ msg, model }) => msg === 'model unloaded' && model === 'square');
  const metadata = (await get('/v2/models/square')) as { inputs: unknown };
  assert.deepEqual(metadata.inputs, [{ name: 'x', datatype: 'FP64', shape: [-1] }]);
  assert.equal((await post('/predict/nothing', { data: 1 }))[0], 404);
});
