import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { readModelSource } from '../../src/repository/source.ts';
import { optionsOf } from '../../src/hub/pull-models.ts';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { FakeHub } from './hub-server.ts';
import { BERT_FILES, bytesOf, createPullRig } from './support.ts';

const MODEL = 'onnx/model.onnx';
const NONE = { kind: 'none' } as const;

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

test('a connection that breaks is taken up where it ended', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, read, progress } = await createPullRig(t, hub);
  const broken = Array.from({ length: 3 }, () => ({ kind: 'break', afterBytes: 400 }) as const);
  hub.mishaps.set(MODEL, broken);
  hub.mishaps.set('tokenizer.json', [{ kind: 'break', afterBytes: 5 }]);
  const { bytes } = await pull();
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
  assert.equal((await read('tokenizer.json')).toString(), BERT_FILES['tokenizer.json']);
  assert.equal(hub.mishaps.get(MODEL)?.length, 0);
  assert.equal(hub.requestsFor('tokenizer.json')[1]?.range, 'bytes=5-16');
  // Nothing was sent twice.
  const sent = hub.requestsFor(MODEL).reduce((sum, request) => sum + request.sent, 0);
  assert.equal(sent, BERT_FILES[MODEL].length);
  assert.equal(progress.bytes, bytes);
});

test('a pull that failed goes on where it stopped when it is run again', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, read, modelsDir } = await createPullRig(t, hub);
  // One piece at a time, in order; the fourth fails.
  const tuning = { connections: 1, attempts: 1 };
  hub.mishaps.set(MODEL, [NONE, NONE, NONE, { kind: 'status', status: 503 }]);
  await assert.rejects(pull({ tuning }), { name: 'HubError', message: /store of the hub answered 503/ });
  assert.deepEqual(await new ModelsDir(modelsDir).list(), []);
  const before = hub.requestsFor(MODEL);
  const failed = before[3];
  assert.equal(failed?.sent, 0);
  await pull({ tuning });
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
  const ranges = hub.requestsFor(MODEL).map(({ range }) => range);
  assert.equal(ranges[before.length], failed.range);
  // Nothing that had come was sent twice.
  const sent = hub.requestsFor(MODEL).reduce((sum, request) => sum + request.sent, 0);
  assert.equal(sent, BERT_FILES[MODEL].length);
  assert.deepEqual(await readdir(modelsDir), ['tiny']);
});

test('content with a wrong checksum is fetched anew, and never served', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, modelsDir } = await createPullRig(t, hub);
  hub.corrupt.set(MODEL, bytesOf(BERT_FILES[MODEL].length, 99));
  await assert.rejects(pull(), { name: 'HubError', message: /onnx\/model\.onnx came twice with a wrong checksum/ });
  assert.deepEqual(await new ModelsDir(modelsDir).list(), []);
  hub.corrupt.clear();
  assert.equal((await pull()).isNew, true);
  const { pull: pullSmall } = await createPullRig(t, hub);
  hub.corrupt.set('tokenizer.json', Buffer.from('{"version":"6.6"}'));
  await assert.rejects(pullSmall(), { message: /tokenizer\.json came twice with a wrong checksum/ });
});

test('more, or less, than the list says is refused', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull } = await createPullRig(t, hub);
  hub.corrupt.set('tokenizer.json', Buffer.from('{"version":"1.0", "more": true}'));
  await assert.rejects(pull(), { message: /tokenizer\.json has 17 bytes in the hub's list, but more came/ });
  hub.corrupt.set('tokenizer.json', Buffer.from('{}'));
  await assert.rejects(pull(), { message: /but less came/ });
});

test('a store that knows no ranges sends the file as a whole', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES, noRanges: true });
  const { pull, read, progress } = await createPullRig(t, hub);
  hub.mishaps.set('tokenizer.json', [{ kind: 'break', afterBytes: 5 }]);
  const { bytes } = await pull();
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
  assert.equal((await read('tokenizer.json')).toString(), BERT_FILES['tokenizer.json']);
  assert.equal(progress.bytes, bytes);
});

test('a hub that is busy or silent is asked again', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, read } = await createPullRig(t, hub);
  hub.mishaps.set('tokenizer.json', [
    { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
    { kind: 'status', status: 500 },
    { kind: 'silence' },
  ]);
  // An address of the store that has run out.
  hub.mishaps.set(MODEL, [{ kind: 'status', status: 403 }]);
  await pull({ tuning: { silenceMs: 300 } });
  assert.equal(hub.requestsFor('tokenizer.json').length, 4);
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
});

test('the token goes to the hub, and not to the store that the hub names', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES, token: 'hf_secret' });
  const { pull } = await createPullRig(t, hub);
  await pull({ token: 'hf_secret' });
  for (const { where, authorization } of hub.seen)
    assert.equal(authorization, where === 'hub' ? 'Bearer hf_secret' : undefined);
  assert.ok(hub.seen.some(({ where }) => where === 'store'));
});

test('a password in HF_ENDPOINT goes to the hub alone, where there is no token, and is in no message', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull } = await createPullRig(t, hub);
  const options = (HF_TOKEN: string) =>
    optionsOf({
      CARPOOL_MODELS: [],
      MODELS_DIR: '.',
      DTYPE: 'auto',
      HF_TOKEN,
      HF_ENDPOINT: 'https://me:p%40ss@hub.example/mirror/',
    });
  assert.equal(options('').endpoint, 'https://hub.example/mirror');
  await pull({ token: '', credentials: options('').credentials ?? '' });
  const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
  for (const { where, authorization } of hub.seen) assert.equal(authorization, where === 'hub' ? basic : undefined);
});

test('a refusal says what to do', async (t) => {
  const closed = await FakeHub.start(t, { files: BERT_FILES, token: 'right' });
  const gated = await FakeHub.start(t, { files: BERT_FILES, token: 'right', gated: true });
  const { pull: fromClosed } = await createPullRig(t, closed);
  const { pull: fromGated } = await createPullRig(t, gated);
  await assert.rejects(fromClosed(), { message: /private or gated \(401\): for those, set HF_TOKEN/ });
  await assert.rejects(fromClosed({ token: 'wrong' }), { message: /does not take the token in HF_TOKEN/ });
  await assert.rejects(fromGated(), {
    message: /gated: accept its conditions at http.*\/acme\/tiny, and set HF_TOKEN/,
  });
  await assert.rejects(fromClosed({ reference: 'hf:acme/none', token: 'right' }), { message: /no such model \(404\)/ });
  await assert.rejects(fromClosed({ reference: 'hf:acme/tiny@v9', token: 'right' }), { message: /no such revision/ });
  // None of these is asked twice.
  assert.equal(closed.seen.length, 4);
});

test('a name that leads out of the folder is refused with the whole repository', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  for (const name of ['../up.json', '/etc/x', 'a/../../b', 'a\\..\\b', 'C:/x', 'a//b', './a', 'a\u0000b']) {
    const { pull, modelsDir } = await createPullRig(t, hub);
    hub.listedBesides.splice(0, 1, name);
    await assert.rejects(pull(), { name: 'HubError', message: /leads out of its folder/ }, name);
    assert.deepEqual(await new ModelsDir(modelsDir).list(), []);
  }
});

test('two that pull one model at a time fetch it once', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, notes } = await createPullRig(t, hub);
  const results = await Promise.all([pull({ refresh: false }), pull({ refresh: false })]);
  assert.deepEqual(results.map(({ isNew }) => isNew).sort(), [false, true]);
  assert.equal(hub.requestsFor('tokenizer.json').length, 1);
  assert.deepEqual(notes, ['another process is pulling tiny; waiting for it']);
});

test('a pull that is told to stop ends, and leaves what it has for the next', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, modelsDir } = await createPullRig(t, hub);
  const stop = new AbortController();
  hub.mishaps.set('tokenizer.json', [{ kind: 'silence' }]);
  const pulling = pull({ signal: stop.signal });
  while (hub.requestsFor('tokenizer.json').length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('told to'));
  await assert.rejects(pulling, { message: 'told to' });
  assert.deepEqual(await readdir(modelsDir), ['.pull-tiny']);
  assert.equal((await pull()).isNew, true);
});

test('a file of no bytes is a file', async (t) => {
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

test('an endpoint that is no hub is told', async (t) => {
  const hub = await FakeHub.start(t, { files: { ...BERT_FILES } });
  const { pull } = await createPullRig(t, hub);
  await assert.rejects(pull({ endpoint: `${hub.endpoint}/acme/tiny/resolve/${hub.commit}/x` }), { name: 'HubError' });
});

test('a redirect within the hub keeps the token; one that leads nowhere ends', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES, token: 'hf_secret' });
  const { pull, read } = await createPullRig(t, hub);
  const location = `/acme/tiny/resolve/${hub.commit}/tokenizer.json`;
  const again = { kind: 'status', status: 307, headers: { location } } as const;
  hub.mishaps.set(
    'tokenizer.json',
    Array.from({ length: 6 }, () => again),
  );
  await assert.rejects(pull({ token: 'hf_secret' }), { message: /sends us from one address to the next/ });
  hub.mishaps.set('tokenizer.json', [again]);
  await pull({ token: 'hf_secret' });
  assert.equal((await read('tokenizer.json')).toString(), BERT_FILES['tokenizer.json']);
});

test('what does not fit on the disk is not begun', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  hub.listedSizes.set(MODEL, 1e15);
  const { pull } = await createPullRig(t, hub);
  await assert.rejects(pull(), { name: 'HubError', message: /MB free, and 1000000000\.0 MB are to come: make room/ });
  assert.equal(hub.requestsFor(MODEL).length, 0);
});
