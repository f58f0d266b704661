import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { readModelSource } from '../../src/repository/source.ts';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { FakeHub } from './hub-server.ts';
import { BERT_FILES, createPullRig } from './support.ts';

const MODEL = 'onnx/model.onnx';

test('a pulled folder holds what serving needs, nothing else, and can be served', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES, pageSize: 3 });
  const { pull, read, modelsDir, progress } = await createPullRig(t, hub);
  const result = await pull();
  assert.deepEqual([result.isNew, result.commit, result.folder], [true, hub.commit, path.join(modelsDir, 'tiny')]);
  const unwanted = ['pytorch_model.bin', 'vocab.txt', 'onnx/model_quantized.onnx'];
  for (const [name, content] of Object.entries(BERT_FILES))
    if (unwanted.includes(name)) await assert.rejects(read(name), { code: 'ENOENT' }, name);
    else assert.ok((await read(name)).equals(Buffer.from(content)), name);
  assert.deepEqual(await readdir(modelsDir), ['tiny']);
  assert.deepEqual(progress, { total: result.bytes, bytes: result.bytes, stops: 1 });
  const folder = await new ModelsDir(modelsDir).open('tiny');
  assert.ok(folder !== undefined);
  assert.equal((await readModelSource(folder, 1)).task, 'embeddings');
  // The large file came in pieces, from the store.
  assert.equal(hub.requestsFor(MODEL).length, 6);
});

test('what is pulled in one dtype is served in it, whatever DTYPE says', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, modelsDir } = await createPullRig(t, hub);
  await pull({ reference: 'hf:acme/tiny#q8' });
  const folder = await new ModelsDir(modelsDir).open('tiny');
  assert.ok(folder !== undefined);
  assert.equal(path.basename((await readModelSource(folder, 1, [], 'fp32')).weights), 'model_quantized.onnx');
});

test('a complete folder needs no hub, unless it is asked whether there is something newer', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull } = await createPullRig(t, hub);
  await pull();
  const before = hub.seen.length;
  assert.equal((await pull({ refresh: false })).isNew, false);
  assert.equal(hub.seen.length, before);
  assert.equal((await pull()).isNew, false);
  assert.equal(hub.seen.length, before + 1);
  await hub.stop();
  assert.equal((await pull({ refresh: false })).isNew, false);
  await assert.rejects(pull(), {
    name: 'HubError',
    message: /cannot be reached \(ECONNREFUSED\): check the connection/,
  });
});

test('a folder that lacks a file is completed', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, read, modelsDir } = await createPullRig(t, hub);
  await pull();
  await rm(path.join(modelsDir, 'tiny/tokenizer.json'));
  const modelRequests = hub.requestsFor(MODEL).length;
  assert.equal((await pull({ refresh: false })).isNew, true);
  assert.equal((await read('tokenizer.json')).toString(), BERT_FILES['tokenizer.json']);
  assert.equal(hub.requestsFor(MODEL).length, modelRequests);
});

test('a newer commit replaces the folder: what is the same is not fetched, what people put there stays', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, read, modelsDir } = await createPullRig(t, hub);
  await pull();
  await writeFile(path.join(modelsDir, 'tiny/model.json'), '{"batching":{"maxItems":8}}');
  const modelRequests = hub.requestsFor(MODEL).length;
  hub.change('tokenizer.json', '{"version":"2.0"}');
  const result = await pull();
  assert.deepEqual([result.isNew, result.commit], [true, hub.commit]);
  assert.equal((await read('tokenizer.json')).toString(), '{"version":"2.0"}');
  assert.equal((await read('model.json')).toString(), '{"batching":{"maxItems":8}}');
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
  assert.equal(hub.requestsFor(MODEL).length, modelRequests);
  assert.deepEqual(await readdir(modelsDir), ['tiny']);
});

test('another dtype of the same model takes the place of the first', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, modelsDir } = await createPullRig(t, hub);
  await pull();
  await pull({ reference: 'hf:acme/tiny#q8', refresh: false });
  assert.deepEqual(await readdir(path.join(modelsDir, 'tiny/onnx')), ['model_quantized.onnx']);
});

test('a folder that was not pulled, or holds another model, is not touched', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, modelsDir } = await createPullRig(t, hub);
  await pull();
  await assert.rejects(pull({ reference: 'tiny=hf:other/model' }), {
    message: /holds acme\/tiny: remove it, or choose another/,
  });
  await rm(path.join(modelsDir, 'tiny/.carpool-pull.json'));
  const before = hub.seen.length;
  await assert.rejects(pull(), { message: /holds something that was not pulled/ });
  assert.equal(hub.seen.length, before);
});

test('two pulls of one model at the same time fetch it once', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, notes } = await createPullRig(t, hub);
  const results = await Promise.all([pull({ refresh: false }), pull({ refresh: false })]);
  assert.deepEqual(results.map(({ isNew }) => isNew).sort(), [false, true]);
  assert.equal(hub.requestsFor('tokenizer.json').length, 1);
  assert.deepEqual(notes, ['another process is pulling tiny; waiting for it']);
});

test('an empty file is pulled too', async (t) => {
  const files = { ...BERT_FILES, 'special_tokens_map.json': '' };
  const hub = await FakeHub.start(t, { files });
  const { pull, read } = await createPullRig(t, hub);
  await pull();
  assert.equal((await read('special_tokens_map.json')).length, 0);
});

test('a branch with a slash in its name', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, modelsDir } = await createPullRig(t, hub);
  await pull({ reference: 'hf:acme/tiny@refs/pr/1' });
  const note = JSON.parse(await readFile(path.join(modelsDir, 'tiny/.carpool-pull.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  assert.deepEqual([note['repository'], note['revision'], note['commit']], ['acme/tiny', 'refs/pr/1', hub.commit]);
});
