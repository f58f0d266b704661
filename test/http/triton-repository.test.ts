import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRITON_REPOSITORY } from '../../tools/make-triton-repository.ts';
import { makeFolder } from '../repository/fixtures.ts';
import { ask, startTestServer, type Answer } from './in-process.ts';

/** Models that Triton would serve and this server does not. */
const OTHERS = {
  'ensemble/config.pbtxt': 'platform: "ensemble" ensemble_scheduling { step { model_name: "batched" } }',
  'ensemble/1/keep': '',
  'python/config.pbtxt': 'backend: "python"',
  'python/1/model.py': '',
};

interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

test('a Triton repository is served as it is', { timeout: 60_000 }, async (t) => {
  const folder = await makeFolder(t, { ...TRITON_REPOSITORY, ...OTHERS });
  await using server = await startTestServer({ MODELS_DIR: folder, MODEL_CONTROL: 'explicit' });
  const get = async (path: string): Promise<unknown> => (await ask(`${server.url}${path}`)).json;
  const post = (path: string, body: unknown = {}): Promise<Answer> =>
    ask(`${server.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  const infer = async (model: string, request: object): Promise<readonly Output[]> => {
    const { status, json } = await post(`/v2/models/${model}/infer`, request);
    assert.equal(status, 200, JSON.stringify(json));
    return (json as { outputs: Output[] }).outputs;
  };
  const input = (name: string, shape: readonly number[], datatype: string, data: readonly number[]) => ({
    inputs: [{ name, shape, datatype, data }],
  });

  await t.test('the index, and what is named in the log', async () => {
    const { json } = await post('/v2/repository/index');
    const index = json as { name: string; version: string; state: string; reason: string }[];
    const states = index.map(({ name, version, state }) => `${name}/${version} ${state}`);
    assert.deepEqual(states, [
      ...['batched/1 READY', 'ensemble/1 UNAVAILABLE', 'labels/1 READY', 'python/1 UNAVAILABLE', 'reshaped/1 READY'],
      ...['unbatched/1 READY', 'versions/1 READY', 'versions/2 UNAVAILABLE', 'versions/3 READY'],
    ]);
    const lines = server.logLines.map((line) => JSON.parse(line) as { msg: string; model?: string; what?: string });
    const named = lines.filter(({ msg }) => msg === 'model config not honoured');
    assert.deepEqual(
      named.map(({ model, what }) => `${model}: ${what}`),
      ['unbatched: response_cache'],
    );
    const skipped = lines.filter(({ msg }) => msg === 'model skipped').map(({ model }) => model);
    assert.deepEqual(skipped, ['ensemble', 'python']);
  });

  await t.test('batched, versions and unbatched', async () => {
    const x = input('x', [2, 4], 'FP32', [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual((await infer('batched', x))[0]?.data, [2, 4, 6, 8, 10, 12, 14, 16]);
    assert.deepEqual((await infer('versions', x))[0]?.data.slice(0, 4), [3, 6, 9, 12]);
    assert.deepEqual((await infer('versions/versions/1', x))[0]?.data.slice(0, 4), [1, 2, 3, 4]);
    assert.equal((await post('/v2/models/versions/versions/2/infer', x)).status, 404);
    const ones = Array<number>(16).fill(1);
    const inputs = ['INPUT0', 'INPUT1'].flatMap((name) => input(name, [16], 'INT32', ones).inputs);
    const [sum, difference] = await infer('unbatched', { inputs });
    assert.deepEqual([sum?.data[15], difference?.data[15], sum?.shape], [2, 0, [16]]);
  });

  await t.test('classes have the names of the label file', async () => {
    const scores = input('scores', [1, 3], 'FP32', [0, 2, 1]);
    const [classes] = await infer('labels', {
      ...scores,
      outputs: [{ name: 'probabilities', parameters: { classification: 2 } }],
    });
    assert.deepEqual(classes?.shape, [1, 2]);
    assert.deepEqual(classes.data, ['0.665241:1:dog', '0.244728:2:bird']);
    assert.equal((await post('/v2/models/labels/infer', input('scores', [1, 4], 'FP32', [0, 2, 1, 0]))).status, 422);
  });

  await t.test('clients see dims, the graph the reshape', async () => {
    const [determinant] = await infer('reshaped', input('ids', [2, 4], 'INT64', [1, 2, 3, 4, 2, 0, 0, 3]));
    assert.deepEqual(determinant?.shape, [2, 1]);
    assert.deepEqual(determinant.data, [1 * 16 - 4 * 9, 4 * 9]);
    const metadata = (await get('/v2/models/reshaped')) as { inputs: unknown; outputs: unknown };
    assert.deepEqual(metadata.inputs, [{ name: 'ids', datatype: 'INT64', shape: [-1, 4] }]);
    assert.deepEqual(metadata.outputs, [{ name: 'determinant', datatype: 'FP32', shape: [-1, 1] }]);
    const config = (await get('/v2/models/reshaped/config')) as Record<string, unknown>;
    assert.equal(config['max_batch_size'], 8);
    assert.deepEqual(config['input'], [
      { name: 'ids', data_type: 'TYPE_INT64', dims: [4], reshape: { shape: [2, 2] } },
    ]);
    assert.deepEqual(config['output'], [
      { name: 'determinant', data_type: 'TYPE_FP32', dims: [1], reshape: { shape: [] } },
    ]);
  });

  await t.test('the configuration, and a load with another one', async () => {
    const config = (await get('/v2/models/batched/config')) as Record<string, unknown>;
    assert.equal(config['max_batch_size'], 8);
    assert.deepEqual(config['dynamic_batching'], { max_queue_delay_microseconds: 100 });
    assert.deepEqual(config['parameters'], { intra_op_thread_count: { string_value: '1' } });
    assert.deepEqual(config['instance_group'], [{ name: 'batched_0', kind: 'KIND_CPU', count: 1 }]);
    const load = (given: object): Promise<Answer> =>
      post('/v2/repository/models/batched/load', { parameters: { config: JSON.stringify(given) } });
    // As clients do it: what they were told, with a change.
    assert.equal((await load({ ...config, max_batch_size: 2 })).status, 200);
    assert.equal(((await get('/v2/models/batched/config')) as Record<string, unknown>)['max_batch_size'], 2);
    const refused = await load({ backend: 'onnxruntime', default_model_filename: '../secret' });
    assert.equal(refused.status, 400);
    assert.match(JSON.stringify(refused.json), /a client may not set default_model_filename/);
    const wrong = await load({ maxBatchSize: 'two' });
    assert.match(JSON.stringify(wrong.json), /config: max_batch_size: expected a whole number of at least 0/);
    assert.equal((await post('/v2/repository/models/batched/unload')).status, 200);
    assert.equal((await post('/v2/models/batched/infer', {})).status, 503);
    assert.equal((await post('/v2/repository/models/batched/load')).status, 200);
    assert.equal(((await get('/v2/models/batched/config')) as Record<string, unknown>)['max_batch_size'], 8);
  });
});
