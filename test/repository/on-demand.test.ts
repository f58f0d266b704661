import assert from 'node:assert/strict';
import path from 'node:path';
import { rm } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { ModelAsleep } from '../../src/repository/entry.ts';
import { FakeClock } from '../core/fake-clock.ts';
import { createGate, createRig, isServerError, makeFolder, servedIds, writeFiles, type Rig } from './fixtures.ts';

const LAZY = { loading: 'lazy' } as const;

async function lazyRig(
  t: TestContext,
  names: readonly string[],
  options: Parameters<typeof createRig>[2] = {},
): Promise<{ rig: Rig; clock: FakeClock; modelsDir: string }> {
  const files = Object.fromEntries(names.map((name) => [`${name}/model.onnx`, 'x'.repeat(10)]));
  const modelsDir = await makeFolder(t, files);
  const clock = new FakeClock();
  return { rig: createRig(t, modelsDir, { ...LAZY, clock, ...options }), clock, modelsDir };
}

test('a lazy model is read at start and loaded by the first request, once for all', async (t) => {
  const { rig } = await lazyRig(t, ['a', 'b']);
  assert.deepEqual(await rig.repository.start(), { failed: [] });
  assert.deepEqual(rig.loader.log, []);
  assert.deepEqual(rig.states(), [
    'a/1: UNAVAILABLE loaded when a request comes',
    'b/1: UNAVAILABLE loaded when a request comes',
  ]);
  assert.deepEqual(
    rig.repository.asleep().map(({ name }) => name),
    ['a', 'b'],
  );
  assert.throws(
    () => rig.repository.find('a'),
    (error) => error instanceof ModelAsleep && error.model === 'a',
  );
  assert.throws(() => rig.repository.find('a', '1'), ModelAsleep);
  assert.throws(() => rig.repository.find('a', '2'), isServerError('MODEL_NOT_FOUND', /version 2/));
  await Promise.all([rig.repository.wake('a'), rig.repository.wake('a')]);
  assert.deepEqual(rig.loader.log, ['load a/1#1']);
  assert.equal(rig.repository.find('a').id, 'a/1#1');
  assert.deepEqual(
    rig.repository.asleep().map(({ name }) => name),
    ['b'],
  );
});

test('model.json decides over MODEL_LOADING, and a model at fault fails at start', async (t) => {
  const modelsDir = await makeFolder(t, {
    'eager/model.onnx': 'x',
    'eager/model.json': { loading: 'eager' },
    'lazy/model.onnx': 'x',
    'wrong/model.onnx': 'x',
    'wrong/model.json': { batching: { maxItems: 'many' } },
  });
  const rig = createRig(t, modelsDir, LAZY);
  const { failed } = await rig.repository.start();
  assert.deepEqual(
    failed.map(({ name }) => name),
    ['wrong'],
  );
  assert.deepEqual(servedIds(rig), ['eager/1#1']);
});

test('an idle model is unloaded, one in use is not, and the next request loads it again', async (t) => {
  const { rig, clock } = await lazyRig(t, ['a'], { keepLoadedMs: 5000 });
  await rig.repository.start();
  await rig.repository.wake('a');
  rig.loader.busy.add('a/1#1');
  rig.repository.find('a');
  for (let second = 0; second < 8; second++) await clock.advance(1000);
  assert.deepEqual(rig.loader.alive, ['a/1#1']);
  rig.loader.busy.clear();
  for (let second = 0; second < 4; second++) await clock.advance(1000);
  assert.deepEqual(rig.loader.alive, ['a/1#1'], 'it is idle from the end of its last request on');
  for (let second = 0; second < 3; second++) await clock.advance(1000);
  assert.deepEqual(rig.loader.alive, []);
  assert.throws(() => rig.repository.find('a'), ModelAsleep);
  await rig.repository.wake('a');
  assert.deepEqual(rig.loader.alive, ['a/1#2']);
});

test('the model that has not been used for longest makes room, never one in use', async (t) => {
  const { rig, clock } = await lazyRig(t, ['a', 'b', 'c'], { memoryBytes: 25 });
  await rig.repository.start();
  for (const name of ['a', 'b']) {
    await rig.repository.wake(name);
    rig.repository.find(name);
    await clock.advance(10);
  }
  rig.repository.find('a');
  await rig.repository.wake('c');
  assert.deepEqual(rig.loader.alive, ['a/1#1', 'c/1#3']);
  rig.loader.busy.add('a/1#1').add('c/1#3');
  await assert.rejects(
    rig.repository.wake('b'),
    isServerError('MODEL_UNAVAILABLE', "Model 'b' could not be loaded: MODEL_MEMORY_BYTES is taken by models in use"),
  );
  rig.loader.busy.clear();
  await rig.repository.wake('b');
  assert.deepEqual(rig.loader.alive, ['b/1#4', 'c/1#3']);
});

test('a model that would not have room all the same makes none', async (t) => {
  const { rig, clock, modelsDir } = await lazyRig(t, ['a', 'b'], { memoryBytes: 25 });
  await writeFiles(modelsDir, { 'large/model.onnx': 'x'.repeat(20) });
  await rig.repository.start();
  for (const name of ['a', 'b']) {
    await rig.repository.wake(name);
    await clock.advance(10);
  }
  rig.loader.busy.add('a/1#1');
  await assert.rejects(
    rig.repository.wake('large'),
    isServerError('MODEL_UNAVAILABLE', /MODEL_MEMORY_BYTES is taken by models in use/),
  );
  assert.deepEqual(rig.loader.alive, ['a/1#1', 'b/1#2']);
});

test('a load that fails is told to all who wait, and is not tried again at once', async (t) => {
  const { rig, clock } = await lazyRig(t, ['a']);
  await rig.repository.start();
  rig.loader.loadErrors.set('a/1', new Error('no such operator'));
  const refused = isServerError('MODEL_UNAVAILABLE', "Model 'a' could not be loaded: no such operator");
  await Promise.all([1, 2].map(() => assert.rejects(rig.repository.wake('a'), refused)));
  await assert.rejects(rig.repository.wake('a'), refused);
  assert.deepEqual(rig.loader.log, ['load a/1#1']);
  assert.deepEqual(rig.states(), ['a/1: UNAVAILABLE no such operator']);
  rig.loader.loadErrors.clear();
  await clock.advance(10_000);
  await rig.repository.wake('a');
  assert.equal(rig.repository.find('a').id, 'a/1#2');
});

test('a request that comes while a model falls asleep waits for the next load', async (t) => {
  const { rig, clock } = await lazyRig(t, ['a'], { keepLoadedMs: 1000 });
  await rig.repository.start();
  await rig.repository.wake('a');
  const gate = createGate();
  rig.loader.unloadGate = gate.opened;
  await clock.advance(1000);
  await rig.until('unload a/1#1');
  assert.throws(() => rig.repository.find('a'), ModelAsleep);
  const woken = rig.repository.wake('a');
  gate.open();
  await woken;
  assert.equal(rig.repository.find('a').id, 'a/1#2');
});

test('a model that the repository API has loaded or unloaded stays so', async (t) => {
  const { rig, clock } = await lazyRig(t, ['a', 'b'], { keepLoadedMs: 1000 });
  await rig.repository.start();
  await rig.repository.load('a');
  await rig.repository.unload('b');
  for (let second = 0; second < 3; second++) await clock.advance(1000);
  assert.deepEqual(rig.states(), ['a/1: READY', 'b/1: UNAVAILABLE unloaded']);
  assert.throws(() => rig.repository.find('b'), isServerError('MODEL_UNAVAILABLE', /unloaded/));
});

test('polling sees folders of models that sleep', async (t) => {
  const { rig, modelsDir } = await lazyRig(t, ['a', 'b'], { control: 'poll' });
  await rig.repository.start();
  await writeFiles(modelsDir, { 'c/model.onnx': 'x' });
  await rm(path.join(modelsDir, 'a'), { recursive: true });
  for (let look = 0; look < 2; look++) await rig.repository.poll?.tick();
  assert.deepEqual(
    rig.repository.asleep().map(({ name }) => name),
    ['b', 'c'],
  );
  assert.throws(() => rig.repository.find('a'), isServerError('MODEL_NOT_FOUND', /unknown model/));
});

test('a model that is lost with its lane is loaded by the next request', async (t) => {
  const { rig } = await lazyRig(t, ['a']);
  await rig.repository.start();
  await rig.repository.wake('a');
  await rig.repository.lose('a', rig.repository.find('a'), 'its lane died');
  await rig.repository.wake('a');
  assert.equal(rig.repository.find('a').id, 'a/1#2');
});

test('a model that is larger than the memory for all fails at start', async (t) => {
  const { rig } = await lazyRig(t, ['a'], { memoryBytes: 9 });
  assert.deepEqual(await rig.repository.start(), {
    failed: [{ name: 'a', reason: 'its files have 10 bytes, more than MODEL_MEMORY_BYTES allows (9)' }],
  });
});
