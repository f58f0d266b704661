import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ModelProblems, readChosenSources, type ModelSource } from '../../../src/repository/source.ts';
import { ModelsDir } from '../../../src/repository/models-dir.ts';
import { TRITON_REPOSITORY } from '../../../tools/make-triton-repository.ts';
import { onnxModel } from '../../../tools/onnx-writer.ts';
import { makeFolder, type Files } from '../fixtures.ts';

const GRAPH = onnxModel({
  name: 'two ends',
  inputs: [
    { name: 'x', datatype: 'FP32', shape: ['batch', 'size'] },
    { name: 'scale', datatype: 'FP32', shape: [1] },
  ],
  outputs: [{ name: 'y', datatype: 'FP32', shape: ['batch', 'size'] }],
  nodes: [{ op: 'Mul', inputs: ['x', 'scale'], outputs: ['y'] }],
});

/** The chosen versions of model `m` whose `config.pbtxt` is given. */
async function read(t: TestContext, config: string, files: Files = {}): Promise<readonly ModelSource[]> {
  const modelsDir = await makeFolder(t, { 'm/config.pbtxt': config, 'm/1/model.onnx': GRAPH, ...files });
  const folder = await new ModelsDir(modelsDir).open('m');
  assert.ok(folder !== undefined);
  return readChosenSources(folder);
}

async function readOne(t: TestContext, config: string, files?: Files): Promise<ModelSource> {
  const [source, ...others] = await read(t, config, files);
  assert.ok(source !== undefined && others.length === 0);
  return source;
}

async function problemsOf(t: TestContext, config: string, files?: Files): Promise<ModelProblems> {
  try {
    await read(t, config, files);
  } catch (error) {
    assert.ok(error instanceof ModelProblems, String(error));
    return error;
  }
  throw new Error('nothing is wrong');
}

test('the settings of a config.pbtxt become those of model.json', async (t) => {
  const { manifest, notHonoured } = await readOne(
    t,
    `name: "other" backend: "onnxruntime" max_batch_size: 8
     dynamic_batching { preferred_batch_size: [ 2, 8, 16 ] max_queue_delay_microseconds: 1500 priority_levels: 3
       default_queue_policy { max_queue_size: 10 default_timeout_microseconds: 250000 } }
     instance_group { kind: KIND_GPU count: 2 gpus: [ 0, 1 ] }
     optimization { graph { level: 1 } execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }
     parameters { key: "enable_mem_pattern" value { string_value: "0" } }
     parameters { key: "gpu_mem_limit" value { string_value: "1000" } }
     metric_tags { key: "a" value: "b" }`,
  );
  assert.deepEqual(manifest.batching, { maxItems: 8, maxDelayMs: 1.5, buckets: [2, 8] });
  assert.deepEqual(manifest.queue, { maxItems: 42, timeoutMs: 250, weight: 1 });
  assert.deepEqual([manifest.devices, manifest.lanes], [['cuda:0', 'cuda:1'], 4]);
  assert.deepEqual(manifest.session, { graphOptimizationLevel: 'extended', enableMemPattern: false });
  assert.deepEqual(manifest.parameters, { enable_mem_pattern: '0', gpu_mem_limit: '1000' });
  assert.equal(
    notHonoured,
    'name (it is m here); metric_tags; optimization.execution_accelerators tensorrt; parameters gpu_mem_limit; ' +
      'default_queue_policy.default_timeout_microseconds (limits the run, too, not the wait alone)',
  );
});

test('shapes of inputs and outputs: the batch in front, narrower dims, a reshape', async (t) => {
  const { manifest } = await readOne(
    t,
    `max_batch_size: 4
     input { name: "x" data_type: TYPE_FP32 dims: [ 2, 3 ] reshape { shape: 6 } }
     output { name: "y" data_type: TYPE_FP32 dims: 6 }`,
    // A constant of the graph counts as no input.
    { 'm/1/model.onnx': onnxModel(oneInput()) },
  );
  assert.deepEqual(manifest.inputs, [{ name: 'x', shape: [-1, 6], clientShape: [-1, 2, 3], batchAxis: 0 }]);
  assert.deepEqual(manifest.outputs, [{ name: 'y', shape: [-1, 6], clientShape: [-1, 6] }]);
});

function oneInput(): Parameters<typeof onnxModel>[0] {
  return {
    name: 'one',
    inputs: [{ name: 'x', datatype: 'FP32', shape: ['batch', 'size'] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: ['batch', 'size'] }],
    nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }],
  };
}

test('max_batch_size 0: no input has a batch, also none that is not named', async (t) => {
  const { manifest } = await readOne(t, 'input { name: "x" data_type: TYPE_FP32 dims: [ -1, -1 ] }');
  assert.deepEqual(manifest.inputs, [
    { name: 'x', batchAxis: null },
    { name: 'scale', batchAxis: null },
  ]);
  assert.deepEqual((await readOne(t, 'platform: "onnxruntime_onnx"')).manifest.inputs, []);
});

test('model.json comes before config.pbtxt, field by field', async (t) => {
  const { manifest } = await readOne(t, 'max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 2000 }', {
    'm/model.json': { batching: { maxItems: 3 } },
  });
  assert.deepEqual([manifest.batching.maxItems, manifest.batching.maxDelayMs], [3, 2]);
});

test('version policies', async (t) => {
  const files = Object.fromEntries(['2', '3', '10'].map((version) => [`m/${version}/model.onnx`, GRAPH]));
  for (const [policy, versions] of [
    ['', [10]],
    ['latest { num_versions: 2 }', [3, 10]],
    ['all { }', [1, 2, 3, 10]],
    ['specific { versions: [ 2, 1 ] }', [1, 2]],
  ] as const) {
    const sources = await read(t, `version_policy { ${policy} }`, files);
    assert.deepEqual(
      sources.map(({ version }) => version),
      versions,
    );
  }
});

test('a folder in the place of the weights holds them', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/config.pbtxt': 'max_batch_size: 2', 'm/1/model.onnx/model.onnx': GRAPH });
  const folder = await new ModelsDir(modelsDir).open('m');
  const [source] = folder === undefined ? [] : await readChosenSources(folder);
  assert.match(source?.weights ?? '', /1\/model\.onnx\/model\.onnx$/);
});

test('a model that would answer otherwise than with Triton is refused alone, by name', async (t) => {
  for (const [config, why] of [
    [
      'platform: "ensemble" ensemble_scheduling { step [ { model_name: "a" } ] }',
      /ensemble_scheduling is not supported/,
    ],
    ['sequence_batching { state [ ] }', /sequence_batching is not supported/],
    ['batch_input [ { kind: BATCH_ELEMENT_COUNT target_name: "x" } ]', /batch_input is not supported/],
    ['model_transaction_policy { decoupled: true }', /model_transaction_policy is not supported/],
    ['backend: "python"', /^config\.pbtxt: backend "python" is not served here, only onnxruntime$/],
    ['platform: "tensorrt_plan"', /platform "tensorrt_plan" is not served here, only onnxruntime_onnx/],
  ] as const) {
    const problems = await problemsOf(t, config);
    assert.match(problems.message, why);
    assert.ok(problems.isForeign);
  }
});

test('mistakes are told with their places, all in one message', async (t) => {
  const { problems, isForeign } = await problemsOf(
    t,
    `max_batch_size: 8
max_batch_sise: 8
input [ { name: "x" data_type: TYPE_FP64 dims: [ 2 ] }, { name: "z" dims: two } ]
output [ { name: "y" data_type: TYPE_FLOAT dims: [ 2, 2 ] } ]`,
  );
  assert.ok(!isForeign);
  assert.deepEqual(problems.slice(0, 3), [
    'config.pbtxt: line 3, column 75: input.dims: expected a whole number of at least -1',
    problems[1],
    'config.pbtxt: line 2, column 1: max_batch_sise: unknown field; did you mean max_batch_size?',
  ]);
  assert.match(problems[1] ?? '', /^config\.pbtxt: line 4, column 33: output\.data_type: expected one of TYPE_BOOL, /);
  assert.deepEqual(problems.slice(3), [
    'config.pbtxt: input "x" is FP64 there, and of another type in the graph',
    'config.pbtxt: there is no input "z"; the graph has x, scale',
    'config.pbtxt: output "y" has the dimensions [-1, 2, 2] there, with max_batch_size above 0 a batch in front, and [-1, -1] in the graph',
  ]);
});

test('each model of the example repository is read, and what it leaves unused is named', async (t) => {
  const modelsDir = new ModelsDir(await makeFolder(t, TRITON_REPOSITORY));
  const notes = new Map<string, string | undefined>();
  for (const name of await modelsDir.list()) {
    const folder = await modelsDir.open(name);
    assert.ok(folder !== undefined);
    for (const source of await readChosenSources(folder)) notes.set(`${name}/${source.version}`, source.notHonoured);
  }
  assert.deepEqual(Object.fromEntries(notes), {
    'batched/1': undefined,
    'labels/1': undefined,
    'reshaped/1': undefined,
    'unbatched/1': 'response_cache',
    'versions/1': undefined,
    'versions/3': undefined,
  });
});
