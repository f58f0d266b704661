import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { FakeHub } from './hub-server.ts';
import { BERT_FILES, bytesOf, createPullRig } from './support.ts';

const MODEL = 'onnx/model.onnx';
const NONE = { kind: 'none' } as const;

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

test('a connection that breaks after the last byte is not taken up behind it', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, read } = await createPullRig(t, hub);
  hub.mishaps.set(MODEL, [{ kind: 'unended' }, NONE, { kind: 'unended' }]);
  hub.mishaps.set('tokenizer.json', [{ kind: 'unended' }]);
  await pull();
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
  assert.equal(hub.requestsFor('tokenizer.json').length, 1);
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
  // No byte that had come was sent twice.
  const sent = hub.requestsFor(MODEL).reduce((sum, request) => sum + request.sent, 0);
  assert.equal(sent, BERT_FILES[MODEL].length);
  assert.deepEqual(await readdir(modelsDir), ['tiny']);
});

test('content with a wrong checksum is fetched again, and never served', async (t) => {
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

test('more or fewer bytes than the list says are refused', async (t) => {
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
  // An expired address of the store.
  hub.mishaps.set(MODEL, [{ kind: 'status', status: 403 }]);
  await pull({ tuning: { silenceMs: 300 } });
  assert.equal(hub.requestsFor('tokenizer.json').length, 4);
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
});

test('a pull that is stopped ends, and leaves its files for the next', async (t) => {
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

test('a pull that does not fit on the disk is not begun', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  hub.listedSizes.set(MODEL, 1e15);
  const { pull } = await createPullRig(t, hub);
  await assert.rejects(pull(), { name: 'HubError', message: /MB free, and 1000000000\.0 MB are to come: make room/ });
  assert.equal(hub.requestsFor(MODEL).length, 0);
});

test('an answer, or a piece, that comes too slowly is given up and fetched again', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, read } = await createPullRig(t, hub);
  hub.mishaps.set('config.json', [{ kind: 'drip' }]);
  hub.mishaps.set(MODEL, [NONE, { kind: 'drip' }]);
  await pull({ tuning: { answerMs: 200, paceMs: 200 } });
  assert.equal((await read('config.json')).toString(), BERT_FILES['config.json']);
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
  hub.change('config.json', '{"architectures":["BertModel"], "changed":true}');
  hub.mishaps.set(
    'config.json',
    Array.from({ length: 2 }, () => ({ kind: 'drip' }) as const),
  );
  await assert.rejects(pull({ tuning: { answerMs: 100, attempts: 2 } }), {
    name: 'HubError',
    message: /an answer of the hub takes too long/,
  });
});

test('a piece that cannot be fetched ends the file: the others are not fetched in vain', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull } = await createPullRig(t, hub);
  const tuning = { connections: 1, attempts: 1 };
  hub.mishaps.set(MODEL, [NONE, { kind: 'status', status: 503 }]);
  await assert.rejects(pull({ tuning }), { name: 'HubError' });
  assert.equal(hub.requestsFor(MODEL).length, 2);
});

test('a store that knows no ranges is asked for a part once, not for every piece', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES, noRanges: true });
  const { pull, read } = await createPullRig(t, hub);
  await pull({ tuning: { connections: 1 } });
  assert.ok((await read(MODEL)).equals(BERT_FILES[MODEL]));
  assert.equal(hub.requestsFor(MODEL).length, 2);
});

test('a pull that ends, however it does, leaves no connection and no lock behind', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, modelsDir } = await createPullRig(t, hub);
  const stop = new AbortController();
  hub.mishaps.set(MODEL, [{ kind: 'drip' }, { kind: 'silence' }, { kind: 'drip' }]);
  const stopped = pull({ signal: stop.signal });
  while (hub.requestsFor(MODEL).length < 3) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('told to'));
  await assert.rejects(stopped, { message: 'told to' });
  hub.mishaps.set(MODEL, [{ kind: 'status', status: 404 }]);
  await assert.rejects(pull({ tuning: { attempts: 1 } }), { name: 'HubError' });
  while ((await hub.connections()) > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await readdir(modelsDir), ['.pull-tiny']);
});

test('a folder that cannot be made is reported, also where the disk denies that its parent is there', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, modelsDir } = await createPullRig(t, hub);
  await writeFile(path.join(modelsDir, 'file'), '');
  const places = [
    path.join(modelsDir, 'file', 'models'),
    ...(process.platform === 'linux' ? ['/proc/none/models'] : []),
  ];
  for (const place of places)
    await assert.rejects(pull({ modelsDir: place }), { name: 'HubError', message: /cannot be written \(ENO/ }, place);
  assert.equal((await pull({ modelsDir: path.join(modelsDir, 'a', 'b') })).isNew, true);
});

test('a wait that a person would notice is reported, once for several connections', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull, notes } = await createPullRig(t, hub);
  const busy = { kind: 'status', status: 503, headers: { 'retry-after': '1' } } as const;
  hub.mishaps.set(MODEL, [busy, busy, busy]);
  await pull();
  assert.deepEqual(notes, ['acme/tiny: a store of the hub answered 503; trying again in 1 s']);
});
