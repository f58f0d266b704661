import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../../http/in-process.ts';
import { get, infer, square } from './client.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer({ MODELS: 'square,language-id,voice-activity' });
});
after(() => server[Symbol.asyncDispose]());

test('health, server and model metadata', async () => {
  for (const path of [
    '/v2/health/live',
    '/v2/health/ready',
    '/v2/models/square/ready',
    '/v2/models/square/versions/1/ready',
  ])
    assert.equal((await get(server, path)).status, 200, path);
  const metadata = (await get(server, '/v2')).json as { name: string; extensions: string[] };
  assert.equal(metadata.name, 'carpool');
  for (const extension of [
    'binary_tensor_data',
    'classification',
    'statistics',
    'model_repository',
    'model_configuration',
  ])
    assert.ok(metadata.extensions.includes(extension), extension);
  assert.deepEqual((await get(server, '/v2/models/language-id')).json, {
    name: 'language-id',
    versions: ['1'],
    platform: 'onnxruntime_onnx',
    inputs: [{ name: 'ngrams', datatype: 'FP32', shape: [-1, 620] }],
    outputs: [{ name: 'probs', datatype: 'FP32', shape: [-1, 50] }],
  });
  const config = (await get(server, '/v2/models/language-id/config')).json as Record<string, unknown>;
  assert.ok(Number(config['max_batch_size']) >= 1);
  assert.deepEqual(config['input'], [{ name: 'ngrams', data_type: 'TYPE_FP32', dims: [620] }]);
});

test('statistics: the compute counts of a model move together', async () => {
  await infer(server, 'square', square([2]));
  const {
    model_stats: [stats],
  } = (await get(server, '/v2/models/square/stats')).json as { model_stats: Record<string, unknown>[] };
  const inference = stats?.['inference_stats'] as Record<string, { count: number; ns: number }>;
  assert.ok(Number(stats?.['inference_count']) >= 1 && Number(stats?.['execution_count']) >= 1);
  const counts = ['success', 'queue', 'compute_input', 'compute_infer', 'compute_output'].map(
    (name) => inference[name]?.count,
  );
  assert.deepEqual(new Set(counts).size, 1);
  assert.ok(Number(inference['success']?.ns) >= Number(inference['compute_infer']?.ns));
  assert.equal(((await get(server, '/v2/models/stats')).json as { model_stats: unknown[] }).model_stats.length, 3);
});
