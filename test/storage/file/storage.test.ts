import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { FileStorage } from '../../../src/storage/file/storage.ts';
import { fileOf } from '../../../src/storage/file/place.ts';
import { filesIn, NEVER, storageError, temporaryFolder } from '../support.ts';

const call = { signal: NEVER };
const storage = new FileStorage();

test('what is written can be read, copied and removed; folders are made', async (t) => {
  const folder = await temporaryFolder(t);
  const place = pathToFileURL(path.join(folder, 'a', 'b c#d?', 'object')).href;
  assert.equal(await storage.head(place, call), undefined);
  await storage.write(place, Buffer.from('hello'), call);
  const facts = await storage.head(place, call);
  assert.equal(facts?.size, 5);
  assert.equal(Buffer.from(await storage.read(place, { ...call, limitBytes: 5 })).toString(), 'hello');
  await assert.rejects(storage.read(place, { ...call, limitBytes: 4 }), storageError('TOO_LARGE'));
  const copy = path.join(folder, 'copy');
  let moved = 0;
  assert.deepEqual(await storage.download(place, copy, { ...call, onBytes: (more) => (moved += more) }), facts);
  assert.equal(moved, 5);
  assert.equal(await readFile(copy, 'utf8'), 'hello');
  await writeFile(copy, 'other');
  await storage.upload(copy, place, call);
  assert.notEqual((await storage.head(place, call))?.validator, facts.validator);
  assert.equal(Buffer.from(await storage.read(place, { ...call, limitBytes: 5 })).toString(), 'other');
  await storage.remove(place, call);
  await storage.remove(place, call);
  assert.deepEqual(await filesIn(folder), ['copy']);
});

test('only if absent: what is there stays, and nothing is left behind', async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'object');
  const place = pathToFileURL(file).href;
  const absent = { ...call, onlyIfAbsent: true };
  await storage.write(place, Buffer.from('first'), absent);
  await assert.rejects(storage.write(place, Buffer.from('second'), absent), storageError('EXISTS'));
  await assert.rejects(storage.upload(file, place, absent), storageError('EXISTS'));
  assert.equal(await readFile(file, 'utf8'), 'first');
  assert.deepEqual(await filesIn(folder), ['object']);
});

test('only if absent: a folder, a link to nothing or the like is no object that is there', async (t) => {
  const folder = await temporaryFolder(t);
  const source = path.join(folder, 'source');
  await writeFile(source, 'x');
  await mkdir(path.join(folder, 'folder'));
  await symlink('nothing', path.join(folder, 'link'));
  const absent = { ...call, onlyIfAbsent: true };
  for (const name of ['folder', 'folder/', 'link']) {
    const place = `${pathToFileURL(folder).href}/${name}`;
    await assert.rejects(storage.write(place, Buffer.from('x'), absent), storageError('BAD_PLACE'));
    await assert.rejects(storage.upload(source, place, absent), storageError('BAD_PLACE'));
  }
  assert.deepEqual(await filesIn(folder), ['source']);
});

test('of many who write at one time where nothing is, one is told that it has', async (t) => {
  const folder = await temporaryFolder(t);
  const place = pathToFileURL(path.join(folder, 'object')).href;
  const writers = Array.from({ length: 20 }, (_, index) =>
    storage.write(place, Buffer.from(String(index)), { ...call, onlyIfAbsent: true }).then(
      () => index,
      () => -1,
    ),
  );
  const winners = (await Promise.all(writers)).filter((index) => index >= 0);
  assert.equal(winners.length, 1);
  assert.equal(Buffer.from(await storage.read(place, { ...call, limitBytes: 9 })).toString(), String(winners[0]));
});

test('a list has all files below a prefix, and none that is being written', async (t) => {
  const folder = await temporaryFolder(t);
  for (const name of ['a/1', 'a/2/3', 'ab', 'b', '.00000000-0000-0000-0000-000000000000.part']) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), name);
  }
  const list = async (prefix: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { place } of storage.list(`${pathToFileURL(folder).href}/${prefix}`, call))
      found.push(path.relative(folder, fileOf(place)));
    return found;
  };
  assert.deepEqual(await list(''), ['a/1', 'a/2/3', 'ab', 'b']);
  assert.deepEqual(await list('a/'), ['a/1', 'a/2/3']);
  assert.deepEqual(await list('a'), ['a/1', 'a/2/3', 'ab']);
  assert.deepEqual(await list('a/2/'), ['a/2/3']);
  assert.deepEqual(await list('none/'), []);
});

test('what is no regular file is not there: a pipe would be waited for without end', async (t) => {
  const folder = await temporaryFolder(t);
  const pipe = path.join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const one of [pipe, folder]) {
    const place = pathToFileURL(one).href;
    assert.equal(await storage.head(place, call), undefined);
    await assert.rejects(storage.read(place, { ...call, limitBytes: 1 }), storageError('NOT_FOUND'));
    await assert.rejects(storage.download(place, path.join(folder, 'x'), call), storageError('NOT_FOUND'));
  }
});

test('what is no file URL with an absolute path is refused', async () => {
  for (const place of [
    'file://host/a',
    'file:///a%00b',
    'file:///a%2Fb',
    'file:///a?b',
    'file:///a#b',
    '/a',
    's3://a/b',
  ])
    await assert.rejects(storage.head(place, call), storageError('BAD_PLACE'), place);
});

test('errors of the disk say what is wrong', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, 'file'), '');
  const below = pathToFileURL(path.join(folder, 'file', 'below')).href;
  await assert.rejects(storage.write(below, Buffer.from('x'), call), storageError('BAD_PLACE'));
  const none = pathToFileURL(path.join(folder, 'none')).href;
  await assert.rejects(storage.read(none, { ...call, limitBytes: 1 }), storageError('NOT_FOUND', /there is nothing/));
  const long = pathToFileURL(path.join(folder, 'x'.repeat(300))).href;
  await assert.rejects(storage.write(long, Buffer.from('x'), call), storageError('BAD_PLACE', /name is too long/));
});

test('a call that is ended leaves nothing behind', async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'object');
  await writeFile(file, Buffer.alloc(8_000_000));
  const stop = new AbortController();
  const onBytes = (): void => stop.abort(new Error('enough'));
  const copy = path.join(folder, 'copy');
  await assert.rejects(storage.download(pathToFileURL(file).href, copy, { signal: stop.signal, onBytes }), /enough/);
  await assert.rejects(storage.head(pathToFileURL(file).href, { signal: stop.signal }), /enough/);
  assert.deepEqual(await filesIn(folder), ['object']);
});
