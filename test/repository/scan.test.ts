import assert from 'node:assert/strict';
import { rename, symlink, utimes } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { isModelName } from '../../src/model.ts';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { fingerprintModel, fingerprintVersion, type ModelFolder } from '../../src/repository/scan.ts';
import { makeFolder, writeFiles } from './fixtures.ts';

async function open(modelsDir: string, name = 'm'): Promise<ModelFolder> {
  const folder = await new ModelsDir(modelsDir).open(name);
  assert.ok(folder);
  return folder;
}

test('model names hold letters, digits, dot, underscore and hyphen, and begin with no dot', () => {
  for (const name of ['a', 'Model-1.5_b', '9', '__proto__', 'constructor']) assert.ok(isModelName(name), name);
  for (const name of ['', '.', '..', '.git', 'a b', 'a/b', '../a', 'é', 'a\n']) assert.ok(!isModelName(name), name);
});

test('folders, links and ONNX files are models; other files and dot folders are not', async (t) => {
  const elsewhere = await makeFolder(t, { 'linked/model.onnx': 'x' });
  const folder = await makeFolder(t, {
    'b/model.onnx': 'x',
    'a/model.onnx': 'x',
    '.cache/model.onnx': 'x',
    'README.md': 'x',
    'loose.onnx': 'x',
    '.half.onnx': 'x',
    'lost+found/x': 'x',
  });
  await symlink(path.join(elsewhere, 'linked'), path.join(folder, 'c'));
  await symlink(path.join(folder, 'nowhere'), path.join(folder, 'broken'));
  await symlink(path.join(folder, 'circle'), path.join(folder, 'circle'));
  await symlink(path.join(folder, 'README.md'), path.join(folder, 'about'));
  assert.deepEqual(await new ModelsDir(folder).list(), ['a', 'b', 'broken', 'c', 'circle', 'loose']);
  for (const name of ['broken', 'circle'])
    await assert.rejects(new ModelsDir(folder).open(name), { message: /link that leads nowhere/ });
});

test('a folder with a model but no proper name is noticed', async (t) => {
  const folder = await makeFolder(t, {
    'my model/model.onnx': 'x',
    'other(1)/model.json': '{}',
    'lost+found/x': 'x',
    '.hidden/model.onnx': 'x',
  });
  assert.deepEqual(await new ModelsDir(folder).misnamed(), ['my model', 'other(1)']);
});

test('a folder without version folders is version 1', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x', 'm/assets/x': 'x' });
  const folder = await open(modelsDir);
  assert.deepEqual([...folder.versions], [[1, path.join(modelsDir, 'm')]]);
});

test('version folders are whole numbers without a leading zero', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/10/x': '',
    'm/2/x': '',
    'm/01/x': '',
    'm/0/x': '',
    'm/1a/x': '',
    'm/3': 'a file',
    'm/20260115093000/x': '',
    'm/9999999999999999/x': '',
  });
  assert.deepEqual([...(await open(modelsDir)).versions.keys()], [2, 10, 20260115093000]);
});

test('there is no folder for a name that climbs', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'x' });
  assert.equal(await new ModelsDir(path.join(modelsDir, 'm')).open('..'), undefined);
  assert.equal(await new ModelsDir(modelsDir).open('./m'), undefined);
  assert.equal(await new ModelsDir(modelsDir).open('other'), undefined);
});

test('a fingerprint follows size, time and name of files, also in subfolders, and not dot files', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/model.onnx': 'abc', 'm/assets/words.txt': 'x' });
  const states = [await fingerprintModel(await open(modelsDir))];
  assert.equal(await fingerprintModel(await open(modelsDir)), states[0]);
  await writeFiles(modelsDir, { 'm/.model.onnx.part': 'half' });
  assert.equal(await fingerprintModel(await open(modelsDir)), states[0]);

  await writeFiles(modelsDir, { 'm/assets/words.txt': 'longer' });
  states.push(await fingerprintModel(await open(modelsDir)));
  await utimes(path.join(modelsDir, 'm/model.onnx'), 1, 1);
  states.push(await fingerprintModel(await open(modelsDir)));
  await rename(path.join(modelsDir, 'm/model.onnx'), path.join(modelsDir, 'm/other.onnx'));
  states.push(await fingerprintModel(await open(modelsDir)));
  assert.equal(new Set(states).size, 4);
});

test('a version changes with its own files and the shared ones, not with those of another version', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/1/model.onnx': 'a', 'm/2/model.onnx': 'b', 'm/model.json': '{}' });
  const first = await fingerprintVersion(await open(modelsDir), 1);
  await writeFiles(modelsDir, { 'm/2/model.onnx': 'changed' });
  assert.equal(await fingerprintVersion(await open(modelsDir), 1), first);
  await writeFiles(modelsDir, { 'm/model.json': '{ }' });
  const second = await fingerprintVersion(await open(modelsDir), 1);
  await writeFiles(modelsDir, { 'm/1/model.onnx': 'changed' });
  const third = await fingerprintVersion(await open(modelsDir), 1);
  assert.equal(new Set([first, second, third]).size, 3);
});

test('a link to a model folder that is switched is a change', async (t) => {
  const modelsDir = await makeFolder(t);
  const releases = await makeFolder(t, { 'r1/model.onnx': 'a', 'r2/model.onnx': 'a' });
  for (const release of ['r1', 'r2']) await utimes(path.join(releases, release, 'model.onnx'), 1, 1);
  await symlink(path.join(releases, 'r1'), path.join(modelsDir, 'm'));
  const before = await fingerprintVersion(await open(modelsDir), 1);
  await symlink(path.join(releases, 'r2'), path.join(modelsDir, 'next'));
  await rename(path.join(modelsDir, 'next'), path.join(modelsDir, 'm'));
  assert.notEqual(await fingerprintVersion(await open(modelsDir), 1), before);
});
