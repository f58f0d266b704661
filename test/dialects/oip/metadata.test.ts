import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  modelConfig,
  modelMetadata,
  modelStatistics,
  repositoryIndex,
  serverMetadata,
} from '../../../src/dialects/oip/metadata.ts';
import type { ModelDescription, ModelStatistics } from '../../../src/model.ts';
import { spec } from './fixtures.ts';

const model: ModelDescription = {
  name: 'language-id',
  version: '2',
  versions: ['1', '2'],
  task: 'text-classification',
  signature: {
    inputs: [spec('ngrams', 'FP32', [1, 620])],
    outputs: [spec('probs', 'FP32', [-1, 3]), spec('names', 'BYTES', [-1, -1])],
    batchable: true,
  },
  maxItems: 32,
  maxDelayMs: 1.5,
  versionPolicy: { latest: 2 },
  devices: ['cpu', 'cuda:1', 'cpu'],
};

describe('server metadata', () => {
  it('names the server and what it implements', () => {
    const { name, version, extensions } = serverMetadata('1.2.3');
    assert.equal(name, 'carpool');
    assert.equal(version, '1.2.3');
    assert.deepEqual([...extensions].sort(), [
      'binary_tensor_data',
      'classification',
      'model_configuration',
      'model_repository',
      'model_repository(unload_dependents)',
      'parameters',
      'schedule_policy',
      'statistics',
    ]);
  });
});

describe('model metadata', () => {
  it('has the batch in its shapes, as -1', () => {
    assert.deepEqual(modelMetadata(model), {
      name: 'language-id',
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'ngrams', datatype: 'FP32', shape: [-1, 620] }],
      outputs: [
        { name: 'probs', datatype: 'FP32', shape: [-1, 3] },
        { name: 'names', datatype: 'BYTES', shape: [-1, -1] },
      ],
    });
  });

  it('describes the file, not what model.json asks of requests', () => {
    const input = { ...spec('input', 'FP32', [-1, 576]), fileShape: [-1, -1] };
    const signature = { inputs: [input], outputs: [], batchable: true };
    assert.deepEqual(modelMetadata({ ...model, signature }).inputs[0]?.shape, [-1, -1]);
    assert.deepEqual(modelConfig({ ...model, signature }).input[0]?.dims, [-1]);
  });

  it('leaves the shapes of a model that cannot batch alone', () => {
    const single = { ...model, signature: { ...model.signature, batchable: false } };
    assert.deepEqual(modelMetadata(single).inputs[0]?.shape, [1, 620]);
  });
});

describe('model configuration', () => {
  it('leaves the batch out of the dimensions', () => {
    assert.deepEqual(modelConfig(model), {
      name: 'language-id',
      platform: 'onnxruntime_onnx',
      backend: 'onnxruntime',
      version_policy: { latest: { num_versions: 2 } },
      max_batch_size: 32,
      input: [{ name: 'ngrams', data_type: 'TYPE_FP32', dims: [620] }],
      output: [
        { name: 'probs', data_type: 'TYPE_FP32', dims: [3] },
        { name: 'names', data_type: 'TYPE_STRING', dims: [-1] },
      ],
      instance_group: [
        { name: 'language-id_0', kind: 'KIND_CPU', count: 2 },
        { name: 'language-id_1', kind: 'KIND_GPU', count: 1, gpus: [1] },
      ],
      dynamic_batching: { max_queue_delay_microseconds: 1500 },
    });
  });

  it('tells the version policy in the terms of config.pbtxt', () => {
    assert.deepEqual(modelConfig({ ...model, versionPolicy: 'all' }).version_policy, { all: {} });
    const { version_policy: policy } = modelConfig({ ...model, versionPolicy: { specific: [1, 3] } });
    assert.deepEqual(policy, { specific: { versions: [1, 3] } });
  });

  const withFull: readonly [what: string, signature: ModelDescription['signature'], dims: number[]][] = [
    ['that cannot batch', { ...model.signature, batchable: false }, [1, 620]],
    [
      'with its batch on another axis',
      { ...model.signature, inputs: [spec('state', 'FP32', [2, -1, 128], 1)] },
      [2, -1, 128],
    ],
    [
      'with a tensor that has no batch',
      { ...model.signature, inputs: [spec('x', 'FP32', [1, 3]), spec('rate', 'INT64', [], null)] },
      [-1, 3],
    ],
  ];
  for (const [what, signature, dims] of withFull) {
    it(`says max_batch_size 0 and gives full dimensions for a model ${what}`, () => {
      const config = modelConfig({ ...model, signature });
      assert.equal(config.max_batch_size, 0);
      assert.deepEqual(config.input[0]?.dims, dims);
      assert.equal(config.dynamic_batching, undefined);
    });
  }
});

describe('model statistics', () => {
  const durations = { count: 3, ns: 1234.6 };
  const compute = { computeInput: durations, computeInfer: durations, computeOutput: durations };
  const statistics: ModelStatistics = {
    lastInferenceMs: 1_800_000_000_000.4,
    inferenceCount: 5,
    executionCount: 2,
    success: durations,
    fail: { count: 1, ns: 7 },
    queue: durations,
    ...compute,
    batches: new Map([
      [4, compute],
      [1, compute],
    ]),
  };

  it('have every field that perf_analyzer reads, in whole nanoseconds', () => {
    const rounded = { count: 3, ns: 1235 };
    const computed = { compute_input: rounded, compute_infer: rounded, compute_output: rounded };
    assert.deepEqual(modelStatistics([{ model, statistics }]), {
      model_stats: [
        {
          name: 'language-id',
          version: '2',
          last_inference: 1_800_000_000_000,
          inference_count: 5,
          execution_count: 2,
          inference_stats: {
            success: rounded,
            fail: { count: 1, ns: 7 },
            queue: rounded,
            ...computed,
            cache_hit: { count: 0, ns: 0 },
            cache_miss: { count: 0, ns: 0 },
          },
          batch_stats: [
            { batch_size: 1, ...computed },
            { batch_size: 4, ...computed },
          ],
        },
      ],
    });
  });

  it('may be of no model', () => assert.deepEqual(modelStatistics([]), { model_stats: [] }));
});

describe('the repository index', () => {
  const entries = [
    { name: 'a', version: '1', state: 'READY' },
    { name: 'b', version: '2', state: 'UNAVAILABLE', reason: 'unloaded' },
    { name: 'c' },
  ] as const;

  it('has all entries, or those that are ready', () => {
    assert.deepEqual(repositoryIndex(entries), entries);
    assert.deepEqual(repositoryIndex(entries, true), [entries[0]]);
  });
});
