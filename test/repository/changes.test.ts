import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { createGate, createRig, isServerError, makeFolder, writeFiles } from './fixtures.ts';

test('an explicit load always reloads: the new version is loaded before the old one is drained, so one always serves', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  const { repository, loader } = rig;
  await repository.start();
  const loading = createGate();
  loader.loadGates.set('m/1', loading.opened);
  const draining = createGate();
  loader.unloadGate = draining.opened;
  let isDone = false;
  const load = repository.load('m').then(() => (isDone = true));
  await rig.until('load m/1#2');
  assert.equal(repository.find('m').id, 'm/1#1');
  assert.deepEqual(rig.states(), ['m/1: READY']);
  loading.open();
  await rig.until('unload m/1#1');
  assert.equal(repository.find('m').id, 'm/1#2');
  assert.deepEqual(rig.states(), ['m/1: READY']);
  assert.equal(isDone, false);
  draining.open();
  await load;
  assert.deepEqual(loader.alive, ['m/1#2']);
});

test('the config of a load overrides model.json and MODEL_OPTIONS until the next load', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/model.onnx': 'x',
    'm/model.json': { batching: { maxItems: 2, maxDelayMs: 3 } },
  });
  const { repository } = createRig(t, modelsDir, { overrides: { m: { batching: { maxItems: 4 } } } });
  await repository.start();
  await repository.load('m', { config: { batching: { maxItems: 5 } } });
  assert.deepEqual(repository.find('m').source.manifest.batching, { maxItems: 5, maxDelayMs: 3 });
  await repository.load('m', { config: '{"batching":{"maxItems":6}}' });
  assert.deepEqual(repository.find('m').source.manifest.batching, { maxItems: 6, maxDelayMs: 3 });
  await repository.load('m');
  assert.deepEqual(repository.find('m').source.manifest.batching, { maxItems: 4, maxDelayMs: 3 });
});

test('a load request with files, or with a config that is no object, is refused', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  await rig.repository.start();
  await assert.rejects(rig.repository.load('m', { files: {} }), isServerError('BAD_REQUEST', /files .* not supported/));
  for (const config of ['', '[]', 'text', '3', 3, null, [], true])
    await assert.rejects(rig.repository.load('m', { config }), isServerError('BAD_REQUEST', /must be a JSON object/));
  await assert.rejects(
    rig.repository.load('m', { config: { batching: { max_batch_size: 4 } } }),
    isServerError('BAD_REQUEST', "failed to load 'm': config: batching.max_batch_size: unknown field"),
  );
  assert.deepEqual(rig.loader.log, ['load m/1#1']);
});

test('a load request sets only what is on the list: not code, not files, not what makes a run stuck', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  await rig.repository.start();
  for (const config of [
    { simulate: { dieAtRun: 1 } },
    { runLimitMs: 10 },
    { task: './x.js' },
    { files: { model: 'other.onnx' } },
    { most_items: 4 },
    JSON.parse('{"__proto__": {}}') as unknown,
  ]) {
    const field = Object.keys(config as object)[0] ?? '';
    const refused = isServerError(
      'BAD_REQUEST',
      new RegExp(`may not set ${field}: it may set description, dtype, .*model.json`),
    );
    await assert.rejects(rig.repository.load('m', { config }), refused);
    await assert.rejects(rig.repository.load('m', { config: JSON.stringify(config) }), refused);
  }
  await assert.rejects(
    rig.repository.load('m', { config: { session: { extra: { session: { optimized_model_filepath: '/tmp/x' } } } } }),
    isServerError('BAD_REQUEST', /config: session.extra.session.optimized_model_filepath: this entry may not be set/),
  );
  assert.deepEqual(rig.loader.log, ['load m/1#1']);
});

test('a config nested too deeply is a mistake of the client', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  await rig.repository.start();
  const deep = `{"session":{"extra":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}}`;
  for (const config of [deep, JSON.parse(deep) as unknown, `{"batching":${'['.repeat(65)}${']'.repeat(65)}}`])
    await assert.rejects(rig.repository.load('m', { config }), isServerError('BAD_REQUEST', /nested 64 deep at most/));
});

test('a model whose folder is gone can be unloaded once, and then is unknown', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x', 'n/model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { names: ['m'] });
  await rig.repository.start();
  await rm(path.join(modelsDir, 'm'), { recursive: true });
  await rm(path.join(modelsDir, 'n'), { recursive: true });
  await rig.repository.unload('m');
  assert.deepEqual(rig.states(), ['n/1: UNAVAILABLE not loaded']);
  for (const name of ['m', 'n']) {
    await assert.rejects(rig.repository.unload(name), isServerError('MODEL_NOT_FOUND', /unknown model/));
    await assert.rejects(rig.repository.load(name), isServerError('MODEL_NOT_FOUND', /unknown model/));
  }
  assert.deepEqual(rig.states(), []);
});

test('a reload that fails keeps the old version serving, says why, and is forgotten after one that works', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x' });
  const rig = createRig(t, modelsDir);
  const { repository, loader } = rig;
  await repository.start();
  loader.loadErrors.set('m/1', new Error(`${modelsDir}/m/model.onnx: bad graph\n  in /usr/lib/x.so`));
  const reason = 'model.onnx: bad graph in x.so';
  await assert.rejects(repository.load('m'), isServerError('BAD_REQUEST', `failed to load 'm': ${reason}`));
  assert.equal(repository.find('m').id, 'm/1#1');
  assert.deepEqual(rig.states(), [`m/1: READY ${reason}`]);
  await writeFiles(modelsDir, { 'm/model.json': '{' });
  await assert.rejects(repository.load('m'), isServerError('BAD_REQUEST', /model.json: not valid JSON/));
  await rm(path.join(modelsDir, 'm'), { recursive: true });
  await assert.rejects(repository.load('m'), isServerError('BAD_REQUEST', /there is no folder/));
  assert.equal(repository.find('m').id, 'm/1#1');

  loader.loadErrors.clear();
  await writeFiles(modelsDir, { 'm/model.onnx': 'x' });
  await repository.load('m');
  assert.deepEqual(rig.states(), ['m/1: READY']);
  assert.deepEqual(loader.alive, ['m/1#3']);
});

test('several versions are loaded all or none: when one fails, those loaded before it are unloaded', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/1/model.onnx': 'x', 'm/model.json': { versions: 'all' } });
  const rig = createRig(t, modelsDir);
  await rig.repository.start();
  await writeFiles(modelsDir, { 'm/2/model.onnx': 'x', 'm/3/model.onnx': 'x' });
  rig.loader.loadErrors.set('m/3', new Error('no memory'));
  await assert.rejects(rig.repository.load('m'), isServerError('BAD_REQUEST', "failed to load 'm': no memory"));
  assert.deepEqual(rig.loader.alive, ['m/1#1']);
  assert.deepEqual(rig.states(), ['m/1: READY no memory', 'm/2: UNAVAILABLE no memory', 'm/3: UNAVAILABLE no memory']);
  rig.loader.loadErrors.clear();
  await rig.repository.load('m');
  assert.deepEqual(rig.repository.versions('m'), ['1', '2', '3']);
  assert.equal(rig.loader.alive.length, 3);
});

test('a new latest version takes over, and the old one is unloaded and passed over', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/1/model.onnx': 'x' });
  const rig = createRig(t, modelsDir);
  await rig.repository.start();
  await writeFiles(modelsDir, { 'm/2/model.onnx': 'x' });
  const draining = createGate();
  rig.loader.unloadGate = draining.opened;
  const load = rig.repository.load('m');
  await rig.until('unload m/1');
  assert.deepEqual(rig.states(), ['m/1: UNLOADING', 'm/2: READY']);
  assert.throws(() => rig.repository.find('m', '1'), isServerError('MODEL_UNAVAILABLE', /it is unloading/));
  draining.open();
  await load;
  assert.deepEqual(rig.states(), ['m/1: UNAVAILABLE not chosen by the version policy', 'm/2: READY']);
  assert.deepEqual(rig.loader.alive, ['m/2#2']);
});

test('unload takes a model out of service at once, and is done when it is drained', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  const { repository, loader } = rig;
  await repository.start();
  const draining = createGate();
  loader.unloadGate = draining.opened;
  let isDone = false;
  const unload = repository.unload('m').then(() => (isDone = true));
  await rig.until('unload m/1');
  assert.deepEqual(rig.states(), ['m/1: UNLOADING']);
  assert.throws(
    () => repository.find('m'),
    isServerError('MODEL_UNAVAILABLE', "Model 'm' is unavailable: it is unloading"),
  );
  assert.deepEqual(repository.list(), []);
  assert.equal(isDone, false);
  draining.open();
  await unload;
  assert.deepEqual(rig.states(), ['m/1: UNAVAILABLE unloaded']);
  assert.throws(
    () => repository.find('m'),
    isServerError('MODEL_UNAVAILABLE', "Model 'm' is unavailable: it is unloaded"),
  );
  await repository.unload('m');
  assert.deepEqual(loader.log, ['load m/1#1', 'unload m/1#1']);
  await repository.load('m');
  assert.deepEqual(rig.states(), ['m/1: READY']);
});

test('a loader that fails to unload does not bring the model back', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  await rig.repository.start();
  rig.loader.unloadError = new Error('lane lost');
  await rig.repository.unload('m');
  assert.deepEqual(rig.states(), ['m/1: UNAVAILABLE unloaded']);
  const last = rig.events.at(-1);
  assert.ok(last?.kind === 'unloaded' && last.reason === 'lane lost');
});

test('loads of one model that ask for the same share one load, and its failure', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  const gate = createGate();
  rig.loader.loadGates.set('m/1', gate.opened);
  const loads = [rig.repository.load('m'), rig.repository.load('m'), rig.repository.load('m', {})];
  await rig.until('load m/1');
  gate.open();
  await Promise.all(loads);
  assert.deepEqual(rig.loader.log, ['load m/1#1']);

  rig.loader.loadErrors.set('m/1', new Error('broken'));
  const results = await Promise.allSettled([rig.repository.load('m'), rig.repository.load('m')]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.deepEqual(rig.loader.log, ['load m/1#1', 'load m/1#2']);
});

test('a load asked for after the files changed is not answered by one from before', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x' });
  const rig = createRig(t, modelsDir);
  const gate = createGate();
  rig.loader.loadGates.set('m/1', gate.opened);
  const first = rig.repository.load('m');
  await rig.until('load m/1');
  await writeFiles(modelsDir, { 'm/model.json': { description: 'new' } });
  const others = [rig.repository.load('m'), rig.repository.load('m')];
  gate.open();
  await Promise.all([first, ...others]);
  assert.equal(rig.repository.find('m').source.manifest.description, 'new');
  assert.deepEqual(rig.loader.log, ['load m/1#1', 'load m/1#2', 'unload m/1#1']);
});

test('loads and unloads of one model happen one after the other, in the order they were asked for', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x', 'other/model.onnx': 'x' }));
  const { repository, loader } = rig;
  await repository.start();
  const gate = createGate();
  loader.loadGates.set('m/1', gate.opened);
  const first = repository.load('m');
  await rig.until('load m/1#3');
  const changes = [first, repository.unload('m'), repository.load('m'), repository.load('m', { config: { lanes: 1 } })];
  await repository.load('other');
  gate.open();
  await Promise.all(changes);
  assert.deepEqual(
    loader.log.filter((line) => line.includes('m/1')),
    ['load m/1#1', 'load m/1#3', 'unload m/1#1', 'unload m/1#3', 'load m/1#5', 'load m/1#6', 'unload m/1#5'],
  );
  assert.equal(repository.find('m').source.manifest.lanes, 1);
});

test('events report each step, with complete reasons', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x' });
  const rig = createRig(t, modelsDir);
  await rig.repository.start();
  rig.loader.loadErrors.set('m/1', new Error(`${modelsDir}/m is bad`));
  await assert.rejects(rig.repository.load('m'));
  await rig.repository.unload('m');
  const about = { name: 'm', version: '1' };
  const events = rig.events.map((event) => {
    if (!('durationMs' in event)) return event;
    const { durationMs, ...rest } = event;
    assert.ok(durationMs >= 0);
    return rest;
  });
  assert.deepEqual(events, [
    { kind: 'loading', ...about },
    { kind: 'loaded', ...about },
    { kind: 'loading', ...about },
    { kind: 'load_failed', ...about, reason: `${modelsDir}/m is bad` },
    { kind: 'unloading', ...about },
    { kind: 'unloaded', ...about },
  ]);
});

test('a load that is broken by a dying lane is no mistake of the client', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }));
  await rig.repository.start();
  rig.loader.loadErrors.set('m/1', new ServerError('LANE_LOST'));
  await assert.rejects(
    rig.repository.load('m'),
    isServerError('LANE_LOST', "failed to load 'm': The worker running this request was lost."),
  );
  rig.loader.loadErrors.clear();
  await rig.repository.load('m');
});
