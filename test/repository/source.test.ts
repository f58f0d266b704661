import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { ModelProblems, readChosenSources } from '../../src/repository/source.ts';
import { makeFolder, readModel, writeFiles } from './fixtures.ts';

/** The problems that reading model `m` reports. */
async function problemsOf(modelsDir: string, override?: unknown, version = 1): Promise<readonly string[]> {
  try {
    await readModel(modelsDir, version, override);
  } catch (error) {
    assert.ok(error instanceof ModelProblems, String(error));
    assert.equal(error.message, error.problems.join('; '));
    assert.ok(!error.message.includes(modelsDir), error.message);
    return error.problems;
  }
  return [];
}

test('a bare folder with weights is a model with defaults', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x', 'm/model.onnx_data': 'y' });
  const source = await readModel(modelsDir);
  assert.equal(source.name, 'm');
  assert.equal(source.version, 1);
  assert.equal(source.folder, path.join(modelsDir, 'm'));
  assert.equal(source.weights, path.join(modelsDir, 'm/model.onnx'));
  assert.equal(source.task, 'tensors');
  assert.deepEqual(source.files, {});
  assert.equal(source.manifest.batching.maxDelayMs, 0);
  assert.ok(!('labels' in source) && !('example' in source));
});

test('files are found in the version folder first, then in the model folder', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': { files: { model: 'onnx/net.onnx', vocabulary: 'vocabulary.txt', extra: 'extra.bin' } },
    'm/vocabulary.txt': 'shared',
    'm/extra.bin': 'shared',
    'm/2/onnx/net.onnx': 'x',
    'm/2/vocabulary.txt': 'own',
  });
  const source = await readModel(modelsDir, 2);
  assert.equal(source.folder, path.join(modelsDir, 'm/2'));
  assert.equal(source.weights, path.join(modelsDir, 'm/2/onnx/net.onnx'));
  assert.deepEqual(source.files, {
    vocabulary: path.join(modelsDir, 'm/2/vocabulary.txt'),
    extra: path.join(modelsDir, 'm/extra.bin'),
  });
});

test("a version's model.json goes over the model's, and MODEL_OPTIONS over both: objects merge, the rest replaces", async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': {
      batching: { maxItems: 8, maxDelayMs: 5, buckets: [1, 2] },
      queue: { maxItems: 7 },
      labels: ['a', 'b'],
      options: { deep: { one: 1, two: 2 } },
    },
    'm/1/model.json': { batching: { maxItems: 4 }, labels: ['c'], options: { deep: { two: 3 } } },
    'm/1/model.onnx': 'x',
  });
  const { manifest, labels } = await readModel(modelsDir, 1, { batching: { maxItems: 2, buckets: [1] } });
  assert.deepEqual(manifest.batching, { maxItems: 2, maxDelayMs: 5, buckets: [1] });
  assert.equal(manifest.queue.maxItems, 7);
  assert.deepEqual(manifest.options, { deep: { one: 1, two: 3 } });
  assert.deepEqual(labels, ['c']);
});

test('a field that is a choice between shapes is replaced whole', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': { versions: { specific: [1] }, example: { file: 'a.txt', contentType: 'text/plain' } },
    'm/model.onnx': 'x',
  });
  const override = { versions: { latest: 2 }, example: { data: 3 } };
  const source = await readModel(modelsDir, 1, override);
  assert.deepEqual(source.manifest.versions, { latest: 2 });
  assert.deepEqual(source.example, { data: 3 });
});

test('every problem is reported, with the place that is at fault', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': {
      batching: { maxItems: '8', maxItem: 3 },
      taks: 'tensors',
      inputs: [{ name: 'x', shape: [-2] }, { datatype: 'FP32' }],
      files: { vocabulary: 'missing.txt' },
      devices: ['tpu'],
      versions: { latets: 1 },
      labels: 'labels.json',
      task: 'my task.js',
    },
    'm/labels.json': { not: 'an array' },
  });
  assert.deepEqual(await problemsOf(modelsDir, { queue: { timeoutMs: 0 }, runLimitMs: 'long' }), [
    'model.json: inputs.0.shape.0: too small: expected number to be >=-1',
    'model.json: inputs.1.name: missing',
    'model.json: batching.maxItems: expected number, got string',
    'model.json: batching.maxItem: unknown field',
    'MODEL_OPTIONS: queue.timeoutMs: too small: expected number to be >=1',
    'model.json: devices.0: must match pattern /^(cpu|cuda(:\\d+)?)$/',
    'model.json: versions: latest: missing, latets: unknown field; or specific: missing, latets: unknown field',
    'MODEL_OPTIONS: runLimitMs: expected number, got string',
    'model.json: taks: unknown field',
    'files.model: there is no ONNX file',
    "files.vocabulary: missing.txt: there is no such file in the model's folder",
    'labels: labels.json: expected a JSON array of strings',
    "task: my task.js: expected the name of a built-in task, or a path in the model's folder that begins with ./",
  ]);
});

test('a wrong field in a union is reported for the shape that is nearest', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': { versions: { latest: 'x' }, example: { file: 'x' }, labels: [1] },
    'm/model.onnx': 'x',
  });
  assert.deepEqual(await problemsOf(modelsDir), [
    'model.json: labels: 0: expected string, got number',
    'model.json: example: contentType: missing',
    'model.json: versions: latest: expected number, got string',
  ]);
  assert.deepEqual(await problemsOf(modelsDir, { labels: [], example: { data: 1 }, versions: 'newest' }), [
    'MODEL_OPTIONS: versions: expected "all"; or expected object, got string',
  ]);
});

test('files that are not JSON objects are problems', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': '{"task": ',
    'm/1/model.json': '[1]',
    'm/1/model.onnx': 'x',
  });
  const problems = await problemsOf(modelsDir, 'text');
  assert.match(problems[0] ?? '', /^model.json: not valid JSON: /);
  assert.deepEqual(problems.slice(1), [
    '1/model.json: expected a JSON object',
    'MODEL_OPTIONS: expected a JSON object',
  ]);
});

test('a byte order mark in front of model.json does no harm', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.json': '\uFEFF{"description":"d"}', 'm/model.onnx': 'x' });
  assert.equal((await readModel(modelsDir)).manifest.description, 'd');
});

test("a version's model.json cannot choose versions", async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/1/model.json': { versions: 'all', task: './no.js' },
    'm/1/model.onnx': 'x',
  });
  assert.deepEqual(await problemsOf(modelsDir), [
    "1/model.json: versions: belongs in the model's own model.json",
    "task: ./no.js: there is no such file in the model's folder",
  ]);
});

test('labels come from an array, a JSON file or the lines of a text file', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.onnx': 'x',
    'm/labels.json': ['one', 'two'],
    'm/labels.txt': 'one\r\n \n\nfour\n',
  });
  assert.deepEqual((await readModel(modelsDir, 1, { labels: ['x'] })).labels, ['x']);
  assert.deepEqual((await readModel(modelsDir, 1, { labels: 'labels.json' })).labels, ['one', 'two']);
  assert.deepEqual((await readModel(modelsDir, 1, { labels: 'labels.txt' })).labels, ['one', ' ', '', 'four']);
});

test('a task of the own is a module in the model folder, and an example may be a file', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': { task: './task.js', example: { file: 'in/a.png', contentType: 'Image/PNG' } },
    'm/task.js': '',
    'm/in/a.png': 'x',
    'm/3/model.onnx': 'x',
  });
  const source = await readModel(modelsDir, 3);
  assert.equal(source.task, path.join(modelsDir, 'm/task.js'));
  assert.deepEqual(source.example, { file: path.join(modelsDir, 'm/in/a.png'), contentType: 'image/png' });
});

const outside = [
  '../secret.txt',
  'a/../../secret.txt',
  './../secret.txt',
  '/etc/hostname',
  'C:\\secret.txt',
  '\\\\host\\secret.txt',
  'link.txt',
  'folder/secret.txt',
  '',
  'a\0b',
];
for (const name of outside) {
  test(`nothing is read from outside the model folder: ${JSON.stringify(name)}`, async (t) => {
    const modelsDir = await makeFolder(t, { 'secret.txt': 'secret', 'm/1/model.onnx': 'x', 'm/ok.txt': 'ok' });
    await symlink(path.join(modelsDir, 'secret.txt'), path.join(modelsDir, 'm/link.txt'));
    await symlink(modelsDir, path.join(modelsDir, 'm/folder'));
    const example = { file: name, contentType: 'text/plain' };
    const problems = await problemsOf(modelsDir, { files: { model: name, asset: name }, labels: name, example });
    assert.equal(problems.length, 4, problems.join('\n'));
    for (const problem of problems) assert.match(problem, /must be relative|leads out|not a file name/);
    if (name !== '') assert.equal((await problemsOf(modelsDir, { task: `./${name}` })).length, 1);
    assert.equal((await problemsOf(modelsDir, { task: name })).length, 1);
  });
}

test("'..' does not leave a version folder either, though it would stay in the model's", async (t) => {
  const modelsDir = await makeFolder(t, { 'm/1/model.onnx': 'x', 'm/labels.txt': 'a' });
  assert.deepEqual(await problemsOf(modelsDir, { labels: '../labels.txt' }), [
    "labels: ../labels.txt: the path leads out of the model's folder",
  ]);
});

test('a model folder may be a link, and links within it work', async (t) => {
  const elsewhere = await makeFolder(t, { 'real/blobs/x': 'x', 'real/model.json': { files: { model: 'net.onnx' } } });
  await symlink('blobs/x', path.join(elsewhere, 'real/net.onnx'));
  const modelsDir = await makeFolder(t);
  await symlink(path.join(elsewhere, 'real'), path.join(modelsDir, 'm'));
  assert.equal((await readModel(modelsDir)).weights, path.join(elsewhere, 'real/net.onnx'));
});

test('names of JavaScript itself are unknown fields like others', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json':
      '{"__proto__":{"task":"x"},"constructor":1,"files":{"toString":"a"},"queue":{"__proto__":{"maxItems":1}}}',
    'm/model.onnx': 'x',
    'm/a': 'x',
  });
  assert.deepEqual(await problemsOf(modelsDir), [
    'model.json: queue.__proto__: unknown field',
    'model.json: __proto__: unknown field',
    'model.json: constructor: unknown field',
  ]);
});

test('a change of a file changes the fingerprint of the source', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x' });
  const before = await readModel(modelsDir);
  assert.equal((await readModel(modelsDir)).fingerprint, before.fingerprint);
  await writeFiles(modelsDir, { 'm/model.onnx': 'xx' });
  assert.notEqual((await readModel(modelsDir)).fingerprint, before.fingerprint);
});

test('the problems of all chosen versions are reported together', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': { versions: { specific: [1, 2] } },
    'm/1/model.json': { lanes: 0 },
    'm/2/model.json': { warmup: 1 },
    'm/3/model.json': { nonsense: 1 },
    'm/1/model.onnx': 'x',
    'm/2/x': 'x',
  });
  const folder = await new ModelsDir(modelsDir).open('m');
  assert.ok(folder);
  await assert.rejects(readChosenSources(folder), {
    problems: [
      '1/model.json: lanes: too small: expected number to be >=1',
      '2/model.json: warmup: expected boolean, got number',
      'files.model: there is no ONNX file',
    ],
  });
  await assert.rejects(readChosenSources(folder, [{ label: 'config', value: { versions: { specific: [3, 9, 8] } } }]), {
    problems: ['versions.specific: there is no version 8, 9'],
  });
});
