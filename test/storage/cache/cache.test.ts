import assert from 'node:assert/strict';
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { DiskCache, type CachedFile } from '../../../src/storage/cache/cache.ts';
import { filesIn, NEVER, storageError, temporaryFolder } from '../support.ts';
import { held, MemoryStorage } from './memory-storage.ts';

const BLOCK = 4096;
const call = { signal: NEVER };
/** One each, as requests have. */
const ownSignal = (): AbortSignal => new AbortController().signal;

interface Rig {
  readonly storage: MemoryStorage;
  readonly cache: DiskCache;
  readonly folder: string;
  readonly warnings: unknown[];
  readonly get: (place: string, signal?: AbortSignal) => Promise<CachedFile>;
  /** Gets and releases; the text. */
  readonly text: (place: string) => Promise<string>;
}

async function rig(t: TestContext, { blocks = 100, folder = '' } = {}): Promise<Rig> {
  const storage = new MemoryStorage();
  const at = folder === '' ? await temporaryFolder(t) : folder;
  const warnings: unknown[] = [];
  const log = { warn: (fields: unknown) => void warnings.push(fields) };
  const cache = await DiskCache.open({ folder: at, limitBytes: blocks * BLOCK, storage, log });
  t.after(() => cache.close());
  const get = async (place: string, signal = ownSignal()): Promise<CachedFile> => {
    const got = await cache.get(place, { signal });
    assert.ok(got);
    return got;
  };
  const text = async (place: string): Promise<string> => {
    const { file, release } = await get(place);
    const found = await readFile(file, 'utf8');
    release();
    return found;
  };
  return { storage, cache, folder: at, warnings, get, text };
}

test('an object is downloaded once, until it is another one', async (t) => {
  const { storage, text } = await rig(t);
  storage.put('s3://b/a', 'one', '"1"');
  assert.deepEqual([await text('s3://b/a'), await text('s3://b/a')], ['one', 'one']);
  assert.equal(storage.downloads.length, 1);
  storage.put('s3://b/a', 'two', '"2"');
  assert.equal(await text('s3://b/a'), 'two');
  assert.equal(storage.downloads.length, 2);
});

test('presigned URLs of one object share its file, others do not', async (t) => {
  const { storage, text, folder } = await rig(t);
  for (const query of ['X-Amz-Signature=SECRET1&X-Amz-Date=1', 'X-Amz-Date=2&X-Amz-Signature=SECRET2', 'versionId=7'])
    storage.put(`https://h/a?${query}`, 'one', '"1"');
  for (const place of storage.objects.keys()) await text(place);
  assert.equal(storage.downloads.length, 2);
  assert.doesNotMatch((await filesIn(folder)).join(), /SECRET/);
});

test('many who ask at one time share a download, and what becomes of it', async (t) => {
  const { storage, cache, text, get } = await rig(t);
  storage.put('s3://b/a', 'one', '"1"');
  const { gate, begun, release } = held();
  storage.gate = gate;
  const all = Promise.all(Array.from({ length: 20 }, () => text('s3://b/a')));
  await begun;
  release();
  assert.deepEqual(await all, Array(20).fill('one'));
  assert.equal(storage.downloads.length, 1);

  storage.put('s3://b/x', 'x', '"1"');
  storage.gate = () => Promise.reject(new Error('broken'));
  const failed = await Promise.allSettled([get('s3://b/x'), get('s3://b/x')]);
  assert.deepEqual(
    failed.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(cache.usedBytes, BLOCK);
  storage.gate = () => Promise.resolve();
  assert.equal(await text('s3://b/x'), 'x');
});

test('a download goes on for those who still wait, and ends when nobody does', async (t) => {
  const { storage, cache, text, get } = await rig(t);
  storage.put('s3://b/a', 'one', '"1"');
  const first = held();
  storage.gate = first.gate;
  const [one, two] = [new AbortController(), new AbortController()];
  const leaving = get('s3://b/a', one.signal);
  const staying = get('s3://b/a', two.signal);
  await first.begun;
  one.abort(new Error('left'));
  await assert.rejects(leaving, /left/);
  first.release();
  (await staying).release();
  assert.equal(storage.downloads.length, 1);

  storage.put('s3://b/x', 'x', '"1"');
  const second = held();
  storage.gate = second.gate;
  const three = new AbortController();
  const only = get('s3://b/x', three.signal);
  await second.begun;
  three.abort(new Error('left'));
  await assert.rejects(only, /left/);
  storage.gate = () => Promise.resolve();
  assert.equal(await text('s3://b/x'), 'x');
  assert.equal(storage.downloads.length, 3);
  assert.equal(cache.usedBytes, 2 * BLOCK);
});

test('the least recently used makes way, and the limit holds while something comes', async (t) => {
  const { storage, cache, text, folder } = await rig(t, { blocks: 3 });
  for (const name of ['a', 'b', 'c', 'd']) storage.put(`s3://b/${name}`, name.repeat(BLOCK), '"1"');
  for (const name of ['a', 'b', 'c', 'a']) await text(`s3://b/${name}`);
  storage.gate = async () => {
    assert.ok(cache.usedBytes <= 3 * BLOCK);
    assert.equal((await filesIn(path.join(folder, 'objects'))).length, 2);
  };
  await text('s3://b/d');
  storage.gate = () => Promise.resolve();
  storage.downloads.length = 0;
  for (const name of ['a', 'c', 'd']) await text(`s3://b/${name}`);
  assert.deepEqual(storage.downloads, []);
  await text('s3://b/b');
  assert.deepEqual(storage.downloads, ['s3://b/b']);
});

test('a file in use is not removed: who needs its room waits', async (t) => {
  const { storage, get, text } = await rig(t, { blocks: 2 });
  for (const name of ['a', 'b', 'c']) storage.put(`s3://b/${name}`, name.repeat(BLOCK), '"1"');
  const [a, b] = [await get('s3://b/a'), await get('s3://b/b')];
  let isThere = false;
  const waiting = text('s3://b/c').then((found) => {
    isThere = true;
    return found;
  });
  const stop = new AbortController();
  const impatient = get('s3://b/c', stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(impatient, /enough/);
  assert.equal(isThere, false);
  assert.deepEqual(
    [await readFile(a.file, 'utf8'), await readFile(b.file, 'utf8')],
    ['a'.repeat(BLOCK), 'b'.repeat(BLOCK)],
  );
  a.release();
  a.release();
  assert.equal(await waiting, 'c'.repeat(BLOCK));
  assert.equal((await readFile(b.file, 'utf8')).length, BLOCK);
  b.release();
});

test('what is larger than the cache is not taken, and what is larger than the call allows is an error', async (t) => {
  const { storage, cache } = await rig(t, { blocks: 2 });
  storage.put('s3://b/a', 'a'.repeat(2 * BLOCK + 1), '"1"');
  assert.equal(await cache.get('s3://b/a', call), undefined);
  await assert.rejects(cache.get('s3://b/a', { ...call, limitBytes: 10 }), storageError('TOO_LARGE'));
  await assert.rejects(cache.get('s3://b/none', call), storageError('NOT_FOUND'));
  assert.deepEqual(storage.downloads, []);
});

test('an object that changes or grows before it comes is asked for again, within the limit', async (t) => {
  const { storage, cache, text } = await rig(t, { blocks: 4 });
  storage.put('s3://b/a', 'one', '"1"');
  storage.gate = () => {
    if (storage.downloads.length === 1) storage.put('s3://b/a', 'x'.repeat(3 * BLOCK), '"2"');
    return Promise.resolve();
  };
  assert.equal((await text('s3://b/a')).length, 3 * BLOCK);
  assert.equal(cache.usedBytes, 3 * BLOCK);
  let version = 2;
  storage.gate = () => {
    storage.put('s3://b/b', 'x', `"${(version += 1)}"`);
    return Promise.resolve();
  };
  storage.put('s3://b/b', 'x', '"2"');
  await assert.rejects(cache.get('s3://b/b', call), storageError('CHANGED'));
  assert.equal(cache.usedBytes, 3 * BLOCK);
});

test('an object without a validator is not kept', async (t) => {
  const { storage, cache, get, folder } = await rig(t);
  storage.put('https://h/a', 'one');
  const { file, release } = await get('https://h/a');
  assert.equal(await readFile(file, 'utf8'), 'one');
  release();
  assert.equal((await get('https://h/a')).facts.size, 3);
  assert.equal(storage.downloads.length, 2);
  await cache.close();
  assert.equal((await filesIn(path.join(folder, 'objects'))).length, 1);
});

test('after a restart the files are there, in their order; what is not whole is removed', async (t) => {
  const folder = await temporaryFolder(t);
  const before = await rig(t, { folder, blocks: 3 });
  for (const name of ['a', 'b', 'c']) {
    before.storage.put(`s3://b/${name}`, name.repeat(BLOCK), '"1"');
    const { file, release } = await before.get(`s3://b/${name}`);
    release();
    // The oldest has the newest number: names are no order.
    await utimes(file, 1000, name === 'a' ? 3000 : name === 'b' ? 1000 : 2000);
  }
  await before.cache.close();
  const objects = path.join(folder, 'objects');
  const [whole = ''] = await filesIn(objects);
  await writeFile(path.join(objects, `${whole.slice(0, -1)}9`), 'half');
  await writeFile(path.join(objects, 'foreign'), '');
  await writeFile(path.join(folder, 'incoming', 'half'), 'half');
  await mkdir(path.join(folder, 'mine'));
  await writeFile(path.join(folder, 'mine', 'file'), 'not of the cache');

  const after = await rig(t, { folder, blocks: 2 });
  assert.equal(after.cache.usedBytes, 2 * BLOCK);
  assert.equal((await filesIn(objects)).length, 2);
  assert.deepEqual(await filesIn(path.join(folder, 'incoming')), []);
  assert.deepEqual(await filesIn(path.join(folder, 'mine')), ['file']);
  for (const name of ['a', 'c', 'b']) after.storage.put(`s3://b/${name}`, name.repeat(BLOCK), '"1"');
  for (const name of ['a', 'c', 'b']) await after.text(`s3://b/${name}`);
  assert.deepEqual(after.storage.downloads, ['s3://b/b']);
});

test('where a full disk is met while something comes, files that are not in use make way; if that is not enough, it is not kept', async (t) => {
  const { storage, cache, text, get, warnings } = await rig(t);
  for (const name of ['a', 'b', 'c', 'd']) storage.put(`s3://b/${name}`, name, '"1"');
  const inUse = await get('s3://b/a');
  await text('s3://b/b');
  await text('s3://b/d');
  let failures = 1;
  storage.gate = () => {
    if (failures === 0) return Promise.resolve();
    failures -= 1;
    return Promise.reject(Object.assign(new Error('No space left on device'), { code: 'ENOSPC' }));
  };
  assert.equal(await text('s3://b/c'), 'c');
  assert.equal(warnings.length, 1);
  // No more than it takes, and the least recently used: b.
  assert.equal(cache.usedBytes, 3 * BLOCK);
  storage.downloads.length = 0;
  assert.equal(await text('s3://b/d'), 'd');
  assert.deepEqual(storage.downloads, []);
  assert.equal(await readFile(inUse.file, 'utf8'), 'a');
  failures = 2;
  assert.equal(await cache.get('s3://b/b', call), undefined);
  assert.equal(warnings.length, 2);
  assert.equal(await text('s3://b/b'), 'b');
  inUse.release();
});
