import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { messageOf } from '../../src/errors.ts';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { publicReason } from '../../src/repository/reason.ts';
import { readModelSource, type ModelSource } from '../../src/repository/source.ts';
import { createRig, makeFolder, servedIds, writeFiles, type Files } from './fixtures.ts';

const BERT = { architectures: ['BertModel'] };

/** Layouts of one model, as the content of MODELS_DIR itself. */
const itself: Readonly<Record<string, Files>> = {
  'a bare folder': { 'model.onnx': 'x' },
  'with model.json': { 'model.json': '{}', 'net.onnx': 'x', 'assets/words.txt': 'x' },
  versions: { 'model.json': '{}', '1/model.onnx': 'x', '2/model.onnx': 'x' },
  "Triton's": { 'config.pbtxt': 'backend: "onnxruntime"', '3/model.onnx': 'x' },
  "the hub's": { 'config.json': BERT, 'tokenizer.json': {}, 'onnx/model.onnx': 'x', '1_Pooling/config.json': {} },
  "the hub's, flat": { 'config.json': BERT, 'tokenizer.json': {}, 'model.onnx': 'x' },
  'a pipeline': {
    'model_index.json': {},
    'unet/model.onnx': 'x',
    'text_encoder/model.onnx': 'x',
    'vae_decoder/model.onnx': 'x',
  },
};
for (const [what, files] of Object.entries(itself))
  test(`MODELS_DIR that is a model itself is served as it, by the folder's name: ${what}`, async (t) => {
    const folder = await makeFolder(t);
    const modelsDir = path.join(folder, 'my model');
    await writeFiles(modelsDir, files);
    const rig = createRig(t, modelsDir);
    assert.deepEqual(await rig.repository.start(), { failed: [] });
    assert.deepEqual(
      rig.repository.list().map(({ source }) => source.name),
      ['my-model'],
    );
    await rig.repository.load('my-model');
    assert.equal(await new ModelsDir(modelsDir).open('onnx'), undefined);
  });

test('the only name in MODELS is the name of a MODELS_DIR that is a model', async (t) => {
  const modelsDir = await makeFolder(t, { 'model.onnx': 'x' });
  const rig = createRig(t, modelsDir, { names: ['iris'], overrides: { iris: { lanes: 2 } }, control: 'none' });
  assert.deepEqual(await rig.repository.start(), { failed: [] });
  assert.deepEqual(servedIds(rig), ['iris/1#1']);
  assert.equal(rig.repository.find('iris').source.manifest.lanes, 2);
});

test('a folder of models is not itself a model, whatever files are beside them', async (t) => {
  for (const files of [
    { 'a/model.onnx': 'x', 'config.json': {} },
    { 'a/model.onnx': 'x', 'model.onnx': 'x' },
    { 'a/config.json': BERT, 'model.json': '{}' },
    { '1/model.onnx': 'x', 'a/model.onnx': 'x' },
    { 'a.onnx': 'x', 'b.onnx': 'x' },
    {},
  ] satisfies Files[])
    assert.equal(await new ModelsDir(await makeFolder(t, files)).ownName(), undefined, JSON.stringify(files));
});

test('loose ONNX files are models by their names, and know nothing of each other', async (t) => {
  const modelsDir = await makeFolder(t, {
    'a.onnx': 'x',
    'a.onnx_data': 'x',
    'b-1.5.onnx': 'x',
    'c.onnx': 'x',
    'c/model.onnx': 'x',
    'config.pbtxt': 'x',
    'notes.txt': 'x',
    'not a name.onnx': 'x',
  });
  const rig = createRig(t, modelsDir, { overrides: { a: { batching: { maxItems: 3 } } }, control: 'poll' });
  const { failed } = await rig.repository.start();
  assert.deepEqual(
    failed.map(({ name }) => name),
    ['not a name.onnx'],
  );
  assert.deepEqual(servedIds(rig), ['a/1#1', 'b-1.5/1#2', 'c/1#3']);
  const a = rig.repository.find('a').source;
  assert.deepEqual([path.basename(a.weights), a.task, a.manifest.batching.maxItems], ['a.onnx', 'tensors', 3]);
  assert.equal(rig.repository.find('c').source.weights, path.join(modelsDir, 'c/model.onnx'));
  await writeFiles(modelsDir, { 'a.onnx_data': 'longer', 'notes.txt': 'longer' });
  await rig.repository.poll?.tick();
  await rig.repository.poll?.tick();
  assert.deepEqual(servedIds(rig), ['a/1#4', 'b-1.5/1#2', 'c/1#3']);
});

/** A folder as huggingface_hub keeps it. */
async function makeCache(folder: string, commits: readonly string[] = ['abc']): Promise<void> {
  await writeFiles(folder, {
    'refs/main': commits[0] ?? '',
    'blobs/1': JSON.stringify(BERT),
    'blobs/2': '{}',
    'blobs/3': 'x',
  });
  for (const commit of commits) {
    await mkdir(path.join(folder, 'snapshots', commit, 'onnx'), { recursive: true });
    for (const [name, blob] of [
      ['config.json', '../../blobs/1'],
      ['tokenizer.json', '../../blobs/2'],
      ['onnx/model.onnx', '../../../blobs/3'],
    ] as const)
      await symlink(blob, path.join(folder, 'snapshots', commit, name));
  }
}

async function read(modelsDir: string, name: string): Promise<ModelSource> {
  const folder = await new ModelsDir(modelsDir).open(name);
  assert.ok(folder !== undefined);
  return readModelSource(folder, 1);
}

test("models of a hub's cache are read, as a folder of models, as MODELS_DIR and through a link", async (t) => {
  const hub = await makeFolder(t);
  const cache = path.join(hub, 'models--acme--tiny');
  await makeCache(cache, ['abc', 'older']);
  const snapshot = path.join(cache, 'snapshots/abc');
  const modelsDir = await makeFolder(t);
  await symlink(snapshot, path.join(modelsDir, 'linked'));
  for (const [folder, name] of [
    [hub, 'models--acme--tiny'],
    [cache, 'tiny'],
    [snapshot, 'tiny'],
    [modelsDir, 'linked'],
  ] as const) {
    assert.deepEqual(await new ModelsDir(folder).list(), [name]);
    const source = await read(folder, name);
    assert.equal(source.task, 'embeddings');
    assert.equal(source.weights, path.join(snapshot, 'onnx/model.onnx'));
  }
});

test("links out of a hub's cache are refused, and so is one into the blobs of another", async (t) => {
  const hub = await makeFolder(t);
  for (const name of ['one', 'other']) await makeCache(path.join(hub, name));
  await symlink('../../../other/blobs/3', path.join(hub, 'one/snapshots/abc/labels.txt'));
  await symlink('/etc/hostname', path.join(hub, 'one/snapshots/abc/host.txt'));
  const folder = await new ModelsDir(hub).open('one');
  assert.ok(folder !== undefined);
  for (const labels of ['labels.txt', 'host.txt'])
    await assert.rejects(readModelSource(folder, 1, [{ label: 'MODEL_OPTIONS', value: { labels } }]), {
      message: /a link leads out of the model's folder/,
    });
});

test('a folder without a model is skipped at start, and so are graphs of an unknown kind', async (t) => {
  const modelsDir = await makeFolder(t, {
    'notes/readme.md': 'x',
    'empty/.keep': '',
    'torch/config.json': BERT,
    'torch/model.safetensors': 'x',
    'captions/config.json': { architectures: ['VisionEncoderDecoderModel'], is_encoder_decoder: true },
    'captions/onnx/encoder_model.onnx': 'x',
    'captions/onnx/decoder_model_merged.onnx': 'x',
    'good/model.onnx': 'x',
  });
  const rig = createRig(t, modelsDir);
  assert.deepEqual(await rig.repository.start(), { failed: [] });
  assert.deepEqual(servedIds(rig), ['good/1#1']);
  const skipped = rig.events.filter((event) => event.kind === 'skipped');
  assert.deepEqual(
    skipped.map(({ name }) => name),
    ['captions', 'empty', 'notes', 'torch'],
  );
  assert.match(rig.states()[3] ?? '', /^notes\/1: UNAVAILABLE files.model: there is no ONNX file$/);
  assert.match(skipped[0]?.reason ?? '', /encoder_model.onnx.*name the one to serve in model.json/);
  assert.match(skipped[3]?.reason ?? '', /only model.safetensors: export the model/);
});

test('a folder without a model that is asked for by name, or has a model.json, is a failure', async (t) => {
  const modelsDir = await makeFolder(t, { 'a/notes.txt': 'x', 'b/model.json': '{}', 'good/model.onnx': 'x' });
  const named = createRig(t, modelsDir, { names: ['a', 'good'] });
  assert.deepEqual(
    (await named.repository.start()).failed.map(({ name }) => name),
    ['a'],
  );
  const all = createRig(t, modelsDir);
  assert.deepEqual(
    (await all.repository.start()).failed.map(({ name }) => name),
    ['b'],
  );
});

/** The content in place of an ONNX file, and the cure that the problem names. */
const wrong: readonly (readonly [string, RegExp])[] = [
  ['version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n', /Git LFS pointer.*`git lfs pull`/],
  ['\n<!doctype html><html>', /a web page, not an ONNX file: download .*`resolve` in place of `blob`/],
  ['{"error":"Repository not found"}', /JSON, not an ONNX file: the download may have failed/],
  ['Entry not found', /text, not an ONNX file/],
  ['PK\x03\x04', /a zip archive/],
  ['', /the file is empty/],
];
for (const [content, message] of wrong)
  test(`a file that is not ONNX is recognised by its first bytes: ${JSON.stringify(content.slice(0, 12))}`, async (t) => {
    const modelsDir = await makeFolder(t, { 'm/model.onnx': content });
    await assert.rejects(read(modelsDir, 'm'), (error) => {
      const reason = publicReason(error, modelsDir);
      assert.match(reason, message);
      assert.equal(reason, messageOf(error), 'nothing of the cure looks like a path, which clients are not told');
      return true;
    });
  });

test('Git LFS pointers are reported for assets and external data too', async (t) => {
  const pointer = wrong[0]?.[0];
  const modelsDir = await makeFolder(t, {
    'm/config.json': BERT,
    'm/tokenizer.json': pointer,
    'm/model.onnx': 'x',
    'm/model.onnx_data': pointer,
  });
  await assert.rejects(read(modelsDir, 'm'), {
    message: /files.model: model.onnx_data: a Git LFS pointer.*files.tokenizer: tokenizer.json: a Git LFS pointer/,
  });
});
