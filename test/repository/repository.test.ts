import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { createGate, createRig, isServerError, makeFolder, servedIds, writeFiles } from './fixtures.ts';

test('start loads every model, one after the other in order of name', async (t) => {
  const modelsDir = await makeFolder(t, { 'b/model.onnx': 'x', 'a/model.onnx': 'x', 'c/model.onnx': 'x' });
  const rig = createRig(t, modelsDir);
  const gate = createGate();
  rig.loader.loadGates.set('a/1', gate.opened);
  const started = rig.repository.start();
  await rig.until('load a/1');
  assert.deepEqual(rig.states(), ['a/1: LOADING', 'b/1: UNAVAILABLE not loaded', 'c/1: UNAVAILABLE not loaded']);
  assert.deepEqual(rig.loader.log, ['load a/1#1']);
  gate.open();
  assert.deepEqual(await started, { failed: [] });
  assert.deepEqual(servedIds(rig), ['a/1#1', 'b/1#2', 'c/1#3']);
  assert.deepEqual(rig.states(), ['a/1: READY', 'b/1: READY', 'c/1: READY']);
});

test('start loads only the models named, and says which names have no folder', async (t) => {
  const modelsDir = await makeFolder(t, { 'a/model.onnx': 'x', 'b/model.onnx': 'x', '.c/model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { names: ['b', 'nothing', 'b', '../a', '.c'] });
  const reason = `there is no folder of this name in ${modelsDir}, which holds a, b`;
  assert.deepEqual(await rig.repository.start(), {
    failed: [
      { name: 'nothing', reason },
      { name: '../a', reason },
      { name: '.c', reason },
    ],
  });
  assert.deepEqual(rig.states(), ['a/1: UNAVAILABLE not loaded', 'b/1: READY']);
});

test('start goes on after a model that fails, and reports each with its reason', async (t) => {
  const modelsDir = await makeFolder(t, {
    'bad-file/model.json': { batching: { maxItems: 'many' } },
    'bad-graph/model.onnx': 'x',
    'good/model.onnx': 'x',
    'no good/model.onnx': 'x',
  });
  const rig = createRig(t, modelsDir, { control: 'none', overrides: { typo: {}, good: {} } });
  rig.loader.loadErrors.set('bad-graph/1', new Error(`Load model from ${modelsDir}/bad-graph/model.onnx failed`));
  const { failed } = await rig.repository.start();
  assert.deepEqual(failed, [
    { name: 'no good', reason: 'a model name may hold only letters, digits, dot, underscore and hyphen' },
    { name: 'typo', reason: 'MODEL_OPTIONS names a model that is not there' },
    {
      name: 'bad-file',
      reason: 'model.json: batching.maxItems: expected number, got string; files.model: there is no ONNX file',
    },
    { name: 'bad-graph', reason: 'Load model from model.onnx failed' },
  ]);
  assert.deepEqual(servedIds(rig), ['good/1#2']);
  assert.match(rig.states()[0] ?? '', /^bad-file\/1: UNAVAILABLE model.json: batching/);
  assert.equal(rig.states()[1], 'bad-graph/1: UNAVAILABLE Load model from model.onnx failed');
  assert.deepEqual(
    rig.repository
      .index()
      .filter(({ state }) => state === 'READY')
      .map(({ name }) => name),
    ['good'],
  );
});

test('start rejects when the repository cannot be read', async (t) => {
  const rig = createRig(t, path.join(await makeFolder(t), 'nowhere'));
  await assert.rejects(rig.repository.start(), /ENOENT/);
});

test('a folder that cannot be read fails alone', { skip: process.getuid?.() === 0 }, async (t) => {
  const modelsDir = await makeFolder(t, { 'a/model.onnx': 'x', 'b/model.onnx': 'x' });
  await chmod(path.join(modelsDir, 'a'), 0);
  t.after(() => chmod(path.join(modelsDir, 'a'), 0o755));
  const rig = createRig(t, modelsDir);
  const { failed } = await rig.repository.start();
  assert.deepEqual(
    failed.map(({ name }) => name),
    ['a'],
  );
  assert.match(rig.states()[0] ?? '', /^a\/1: UNAVAILABLE EACCES/);
  assert.deepEqual(servedIds(rig), ['b/1#1']);
});

test('find gives the highest version, or the one asked for', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.json': { versions: 'all' },
    'm/2/model.onnx': 'x',
    'm/10/model.onnx': 'x',
  });
  const { repository } = createRig(t, modelsDir);
  await repository.start();
  assert.equal(repository.find('m').id, 'm/10#2');
  assert.equal(repository.find('m', '2').id, 'm/2#1');
  assert.deepEqual(repository.versions('m'), ['2', '10']);
  assert.deepEqual(repository.versions('other'), []);
});

test('an unknown model, an unknown, unchosen or malformed version is not found', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/1/model.onnx': 'x', 'm/2/model.onnx': 'x' });
  const rig = createRig(t, modelsDir);
  const { repository } = rig;
  await repository.start();
  const notFound = (text: string) =>
    isServerError('MODEL_NOT_FOUND', `Request for unknown model: ${text} is not found`);
  assert.throws(() => repository.find('other'), notFound("'other'"));
  assert.throws(() => repository.find('__proto__'), notFound("'__proto__'"));
  assert.throws(() => repository.find('other', '2'), notFound("'other' version 2"));
  for (const version of ['3', '1', '02', '2.0', ''])
    assert.throws(() => repository.find('m', version), notFound(`'m' version ${version}`));
  assert.deepEqual(rig.states(), ['m/1: UNAVAILABLE not chosen by the version policy', 'm/2: READY']);
});

test('a model that is loading, failed or not loaded is unavailable', async (t) => {
  const modelsDir = await makeFolder(t, { 'a/model.onnx': 'x', 'b/model.onnx': 'x', 'c/model.onnx': 'x' });
  const { repository, loader, until } = createRig(t, modelsDir, { names: ['a', 'b'] });
  const gate = createGate();
  loader.loadGates.set('a/1', gate.opened);
  loader.loadErrors.set('b/1', new Error('broken'));
  const started = repository.start();
  await until('load a/1');
  const unavailable = (text: string) => isServerError('MODEL_UNAVAILABLE', text);
  assert.throws(() => repository.find('a'), unavailable("Model 'a' is unavailable: it is loading"));
  assert.throws(() => repository.find('a', '1'), unavailable("Model 'a' is unavailable: it is loading"));
  gate.open();
  await started;
  assert.throws(() => repository.find('b'), unavailable("Model 'b' is unavailable: it could not be loaded"));
  assert.throws(() => repository.find('c'), unavailable("Model 'c' is unavailable: it is not loaded"));
});

test('MODEL_OPTIONS reach the source, per model', async (t) => {
  const modelsDir = await makeFolder(t, { 'a/model.onnx': 'x', 'constructor/model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { overrides: { a: { queue: { maxItems: 3 } } } });
  assert.deepEqual(await rig.repository.start(), { failed: [] });
  assert.equal(rig.repository.find('a').source.manifest.queue.maxItems, 3);
  assert.equal(rig.repository.find('constructor').source.manifest.queue.maxItems, undefined);
});

for (const control of ['none', 'poll'] as const) {
  test(`loads and unloads are refused with control ${control}`, async (t) => {
    const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }), { control });
    await rig.repository.start();
    const refused = isServerError('LOAD_NOT_ALLOWED', /not allowed/);
    await assert.rejects(rig.repository.load('m'), refused);
    await assert.rejects(rig.repository.unload('m'), refused);
    assert.deepEqual(rig.loader.log, ['load m/1#1']);
  });
}

test('a model that does not exist can be neither loaded nor unloaded', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x' });
  const { repository } = createRig(t, path.join(modelsDir, 'm'));
  const notFound = isServerError('MODEL_NOT_FOUND', /is not found/);
  for (const name of ['other', '..', '../m', '', '.', 'model.onnx']) {
    await assert.rejects(repository.load(name), notFound);
    await assert.rejects(repository.unload(name), notFound);
  }
  assert.deepEqual(repository.index(), []);
});

test('a model that came after the start can be loaded, also one not named', async (t) => {
  const modelsDir = await makeFolder(t, { 'a/model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { names: ['a'] });
  await rig.repository.start();
  await writeFiles(modelsDir, { 'b/model.onnx': 'x' });
  await rig.repository.load('b');
  assert.deepEqual(servedIds(rig), ['a/1#1', 'b/1#2']);
});

test('after close nothing changes, and loaded models go on serving', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  await rig.repository.start();
  await rig.repository.close();
  await assert.rejects(rig.repository.load('m'), isServerError('DRAINING', /shutting down/));
  await assert.rejects(rig.repository.unload('m'), isServerError('DRAINING', /shutting down/));
  assert.deepEqual(servedIds(rig), ['m/1#1']);
});

test('closing waits for the load under way, and no further one begins', async (t) => {
  const modelsDir = await makeFolder(t, { 'a/model.onnx': 'x', 'b/model.onnx': 'x', 'c/model.onnx': 'x' });
  const rig = createRig(t, modelsDir);
  const gate = createGate();
  rig.loader.loadGates.set('a/1', gate.opened);
  const started = rig.repository.start();
  await rig.until('load a/1');
  const asked = rig.repository.load('a', { config: { lanes: 1 } });
  let isClosed = false;
  const closed = rig.repository.close().then(() => (isClosed = true));
  await assert.rejects(rig.repository.load('c'), isServerError('DRAINING', /shutting down/));
  assert.equal(isClosed, false);
  gate.open();
  await assert.rejects(asked, isServerError('DRAINING', /shutting down/));
  await Promise.all([started, closed]);
  assert.deepEqual(servedIds(rig), ['a/1#1']);
});

test('a version that its loader loses serves no longer, says why, and can be loaded again; others go on', async (t) => {
  const modelsDir = await makeFolder(t, {
    'a/1/model.onnx': 'x',
    'a/2/model.onnx': 'x',
    'a/model.json': { versions: 'all' },
  });
  const rig = createRig(t, modelsDir);
  await rig.repository.start();
  const lost = rig.repository.find('a', '2');
  await rig.repository.lose('a', lost, `${modelsDir}/a/2/model.onnx has changed`);
  assert.deepEqual(rig.states(), [
    'a/1: READY a/2/model.onnx has changed',
    'a/2: UNAVAILABLE a/2/model.onnx has changed',
  ]);
  assert.throws(() => rig.repository.find('a', '2'), isServerError('MODEL_UNAVAILABLE', /it could not be loaded/));
  assert.deepEqual([rig.loader.alive, servedIds(rig)], [['a/1#1'], ['a/1#1']]);
  await rig.repository.load('a');
  assert.deepEqual(rig.states(), ['a/1: READY', 'a/2: READY']);
  const serving = servedIds(rig);
  await rig.repository.lose('a', lost, 'too late');
  assert.deepEqual([servedIds(rig), rig.states()], [serving, ['a/1: READY', 'a/2: READY']]);
});

test('a model is found by its aliases, unless a model is called so itself', async (t) => {
  const modelsDir = await makeFolder(t, { 'a/model.onnx': 'x', 'b/model.onnx': 'x' });
  const aliases = new Map([
    ['gpt', 'a'],
    ['b', 'a'],
    ['lost', 'nothing'],
  ]);
  const { repository } = createRig(t, modelsDir, { aliases });
  await repository.start();
  assert.equal(repository.find('gpt').id, repository.find('a').id);
  assert.deepEqual(repository.versions('gpt'), ['1']);
  assert.notEqual(repository.find('b').id, repository.find('a').id);
  assert.throws(() => repository.find('lost'), isServerError('MODEL_NOT_FOUND', /'lost'/));
  assert.deepEqual([repository.aliasesOf('a'), repository.aliasesOf('b')], [['gpt'], []]);
});
