import assert from 'node:assert/strict';
import { rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { RepositoryPoll, type PollTarget } from '../../src/repository/poll.ts';
import { createGate, createRig, lookTwice, makeFolder, writeFiles } from './fixtures.ts';

test('nothing is loaded again while nothing changes', async (t) => {
  const rig = createRig(t, await makeFolder(t, { 'm/model.onnx': 'x' }), { control: 'poll' });
  await rig.repository.start();
  await lookTwice(rig.repository);
  await lookTwice(rig.repository);
  assert.deepEqual(rig.loader.log, ['load m/1#1']);
});

test('a model that is being copied is left alone until two scans see it the same', async (t) => {
  const modelsDir = await makeFolder(t);
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  for (const content of ['x', 'xx', 'xxx']) {
    await writeFiles(modelsDir, { 'm/model.onnx': content });
    await rig.repository.poll?.tick();
    assert.deepEqual(rig.loader.log, []);
  }
  await rig.repository.poll?.tick();
  assert.deepEqual(rig.loader.log, ['load m/1#1']);
  assert.deepEqual(rig.states(), ['m/1: READY']);
});

test('a change is loaded once it is stable; the old version is drained', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x', 'other/model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  await writeFiles(modelsDir, { 'm/model.onnx': 'half' });
  await rig.repository.poll?.tick();
  await writeFiles(modelsDir, { 'm/model.onnx': 'complete' });
  await rig.repository.poll?.tick();
  assert.equal(rig.repository.find('m').id, 'm/1#1');
  await rig.repository.poll?.tick();
  assert.equal(rig.repository.find('m').id, 'm/1#3');
  await lookTwice(rig.repository);
  assert.deepEqual(rig.loader.log, ['load m/1#1', 'load other/1#2', 'load m/1#3', 'unload m/1#1']);
});

test('with a new version beside it, an unchanged version is not loaded again', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/1/model.onnx': 'x', 'm/model.json': { versions: 'all' } });
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  await writeFiles(modelsDir, { 'm/2/model.onnx': 'x' });
  await lookTwice(rig.repository);
  assert.deepEqual(rig.repository.versions('m'), ['1', '2']);
  assert.deepEqual(rig.loader.log, ['load m/1#1', 'load m/2#2']);
  await rm(path.join(modelsDir, 'm/1'), { recursive: true });
  await lookTwice(rig.repository);
  assert.deepEqual(rig.loader.log, ['load m/1#1', 'load m/2#2', 'unload m/1#1']);
  assert.deepEqual(rig.states(), ['m/2: READY']);
});

test('a folder that is gone is unloaded and forgotten; swapped away for one scan it is not', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x', 'other/model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  await rename(path.join(modelsDir, 'm'), path.join(modelsDir, '.m'));
  await rig.repository.poll?.tick();
  await rename(path.join(modelsDir, '.m'), path.join(modelsDir, 'm'));
  await lookTwice(rig.repository);
  assert.deepEqual(rig.loader.log, ['load m/1#1', 'load other/1#2']);

  await rm(path.join(modelsDir, 'm'), { recursive: true });
  await lookTwice(rig.repository);
  assert.deepEqual(rig.loader.alive, ['other/1#2']);
  assert.deepEqual(rig.states(), ['other/1: READY']);
  assert.throws(() => rig.repository.find('m'), { code: 'MODEL_NOT_FOUND' });

  await writeFiles(modelsDir, { 'm/model.onnx': 'x' });
  await lookTwice(rig.repository);
  assert.deepEqual(rig.states(), ['m/1: READY', 'other/1: READY']);
});

test('models of an emptied MODELS_DIR go on serving until they are unloaded', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x', 'n/model.onnx': 'x', 'o/model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  await assert.rejects(rig.repository.unload('m'), { code: 'LOAD_NOT_ALLOWED' });
  for (const name of ['m', 'n', 'o']) await rename(path.join(modelsDir, name), path.join(modelsDir, `.${name}`));
  await lookTwice(rig.repository);
  await lookTwice(rig.repository);
  assert.match(
    rig.states().join('\n'),
    /^m\/1: READY there is no model in MODELS_DIR any more[^\n]+\nn\/1: READY there[^\n]+\no\/1: READY there[^\n]+$/,
  );
  const failed = rig.events.filter(({ kind }) => kind === 'scan_failed');
  assert.match(JSON.stringify(failed), /^\[{[^{]+no model in MODELS_DIR any more[^{]+}\]$/);

  await rig.repository.unload('n');
  await assert.rejects(rig.repository.unload('n'), { code: 'LOAD_NOT_ALLOWED' });
  assert.deepEqual(rig.repository.versions('n'), []);

  // The volume is back, without one of its models.
  for (const name of ['m', 'n']) await rename(path.join(modelsDir, `.${name}`), path.join(modelsDir, name));
  await lookTwice(rig.repository);
  await lookTwice(rig.repository);
  assert.deepEqual(rig.states(), ['m/1: READY', 'n/1: READY']);
  assert.deepEqual(rig.loader.log.slice(3), ['unload n/1#2', 'load n/1#4', 'unload o/1#3']);
});

test('a model whose folder has become a dangling link goes on serving', async (t) => {
  const volume = await makeFolder(t, { 'm/model.onnx': 'x' });
  const modelsDir = await makeFolder(t, { 'n/model.onnx': 'x' });
  await symlink(path.join(volume, 'm'), path.join(modelsDir, 'm'));
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  await rm(path.join(volume, 'm'), { recursive: true });
  await lookTwice(rig.repository);
  assert.deepEqual(rig.states(), [
    'm/1: READY it is a link that leads nowhere: what it names may not be mounted',
    'n/1: READY',
  ]);
  assert.equal(rig.events.filter(({ kind }) => kind === 'load_failed').length, 1);
});

test('a model that fails is tried again only when its folder changes', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  await writeFiles(modelsDir, { 'm/model.json': { nonsense: 1 } });
  await lookTwice(rig.repository);
  await lookTwice(rig.repository);
  assert.equal(rig.events.filter(({ kind }) => kind === 'load_failed').length, 1);
  assert.deepEqual(rig.states(), ['m/1: READY model.json: nonsense: unknown field']);
  await writeFiles(modelsDir, { 'm/model.json': '{}' });
  await lookTwice(rig.repository);
  assert.deepEqual(rig.states(), ['m/1: READY']);
  assert.equal(rig.repository.find('m').id, 'm/1#2');
});

test('a model that failed at start is tried again when it changes', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.json': '{}' });
  const rig = createRig(t, modelsDir, { control: 'poll' });
  assert.equal((await rig.repository.start()).failed.length, 1);
  await lookTwice(rig.repository);
  assert.equal(rig.events.filter(({ kind }) => kind === 'load_failed').length, 1);
  await writeFiles(modelsDir, { 'm/model.onnx': 'x' });
  await lookTwice(rig.repository);
  assert.deepEqual(rig.states(), ['m/1: READY']);
});

test('only the models named are watched, and one may come later', async (t) => {
  const modelsDir = await makeFolder(t);
  const rig = createRig(t, modelsDir, { control: 'poll', names: ['a'], overrides: { a: { lanes: 2 } } });
  assert.deepEqual(
    (await rig.repository.start()).failed.map(({ name }) => name),
    ['a'],
  );
  await writeFiles(modelsDir, { 'a/model.onnx': 'x', 'b/model.onnx': 'x' });
  await lookTwice(rig.repository);
  assert.deepEqual(rig.states(), ['a/1: READY']);
  assert.equal(rig.repository.find('a').source.manifest.lanes, 2);
});

test('a repository that cannot be read is reported once, and unloads nothing', async (t) => {
  const folder = await makeFolder(t, { 'models/m/model.onnx': 'x' });
  const rig = createRig(t, path.join(folder, 'models'), { control: 'poll' });
  await rig.repository.start();
  await rename(path.join(folder, 'models'), path.join(folder, 'away'));
  await lookTwice(rig.repository);
  await lookTwice(rig.repository);
  assert.equal(rig.events.filter(({ kind }) => kind === 'scan_failed').length, 1);
  assert.deepEqual(rig.states(), ["m/1: READY ENOENT: no such file or directory, scandir 'models'"]);
  await rename(path.join(folder, 'away'), path.join(folder, 'models'));
  await lookTwice(rig.repository);
  assert.deepEqual(rig.states(), ['m/1: READY']);
  assert.deepEqual(rig.loader.log, ['load m/1#1']);
  assert.equal(rig.events.filter(({ kind }) => kind === 'scan_failed').length, 1);
});

test('looks never overlap: one that is under way is shared', async (t) => {
  const modelsDir = await makeFolder(t);
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  await writeFiles(modelsDir, { 'm/model.onnx': 'x' });
  await rig.repository.poll?.tick();
  const gate = createGate();
  rig.loader.loadGates.set('m/1', gate.opened);
  const first = rig.repository.poll?.tick();
  await rig.until('load m/1');
  assert.equal(rig.repository.poll?.tick(), first);
  gate.open();
  await first;
  assert.deepEqual(rig.loader.log, ['load m/1#1']);
});

test('close waits for the change under way and begins no other', async (t) => {
  const modelsDir = await makeFolder(t);
  const rig = createRig(t, modelsDir, { control: 'poll' });
  await rig.repository.start();
  await writeFiles(modelsDir, { 'a/model.onnx': 'x', 'b/model.onnx': 'x' });
  await rig.repository.poll?.tick();
  const gate = createGate();
  rig.loader.loadGates.set('a/1', gate.opened);
  const look = rig.repository.poll?.tick();
  await rig.until('load a/1');
  const closed = rig.repository.close();
  gate.open();
  await closed;
  await look;
  assert.deepEqual(rig.loader.log, ['load a/1#1']);
  assert.equal(rig.repository.find('a').id, 'a/1#1');
});

test('with other control modes there is nothing to poll', async (t) => {
  const { repository } = createRig(t, await makeFolder(t), { control: 'none' });
  assert.equal(repository.poll, undefined);
});

test('the poll scans at intervals until it is closed', async () => {
  const looks = [createGate(), createGate(), createGate()];
  let count = 0;
  const target: PollTarget = {
    scan: () => {
      looks[count]?.open();
      count += 1;
      return count === 2 ? Promise.reject(new Error('for a moment')) : Promise.resolve(new Map());
    },
    apply: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    onScanError: () => undefined,
  };
  const poll = new RepositoryPoll(target, 1);
  poll.start(new Map());
  // The poll's own timer keeps no process alive.
  const keepAlive = setInterval(() => undefined, 1000);
  await Promise.all(looks.map(({ opened }) => opened));
  clearInterval(keepAlive);
  await poll.close();
  const atClose = count;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(count, atClose);
  assert.ok(atClose >= 3);
});
