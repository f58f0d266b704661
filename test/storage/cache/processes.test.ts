import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DiskCache } from '../../../src/storage/cache/cache.ts';
import { filesIn, temporaryFolder } from '../support.ts';
import { MemoryStorage } from './memory-storage.ts';

const CHILD = fileURLToPath(new URL('cache-process.js', import.meta.url));
const log = { warn: () => undefined };

/** A process with a cache in the folder; the lines that it prints. */
function start(t: TestContext, folder: string, mode: string): { child: ChildProcess; line: () => Promise<string> } {
  const child = spawn(process.execPath, [CHILD, folder, mode], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, line: async () => ((await lines.next()) as IteratorResult<string, undefined>).value ?? 'the end' };
}

test('a process that is killed while it downloads leaves nothing that counts', { timeout: 60_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const { child, line } = start(t, folder, 'hang');
  assert.equal(await line(), 'one is there');
  assert.equal(await line(), 'another is half there');
  assert.equal((await filesIn(path.join(folder, 'incoming'))).length, 1);
  child.kill('SIGKILL');
  await once(child, 'exit');

  const storage = new MemoryStorage();
  storage.put('s3://b/one', 'one', '"1"');
  storage.put('s3://b/another', 'another', '"1"');
  const cache = await DiskCache.open({ folder, limitBytes: 1_000_000, storage, log });
  t.after(() => cache.close());
  assert.deepEqual(await filesIn(path.join(folder, 'incoming')), []);
  assert.equal(cache.usedBytes, 4096);
  const { signal } = new AbortController();
  for (const name of ['one', 'another']) (await cache.get(`s3://b/${name}`, { signal }))?.release();
  assert.deepEqual(storage.downloads, ['s3://b/another']);
});

test('a folder that another process uses is refused', { timeout: 60_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const { line } = start(t, folder, 'hang');
  assert.equal(await line(), 'one is there');
  const opening = DiskCache.open({ folder, limitBytes: 1, storage: new MemoryStorage(), log, lock: { lookMs: 50 } });
  await assert.rejects(opening, /another process uses/);
  // It has touched nothing of the other's.
  assert.equal((await filesIn(path.join(folder, 'objects'))).length, 1);
});

const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

test(
  'a disk that really is full',
  { skip: canMount ? false : 'needs unshare and tmpfs', timeout: 60_000 },
  async (t) => {
    const folder = await temporaryFolder(t);
    const run = `mount -t tmpfs -o size=64k none ${folder} && exec "$@"`;
    const child = spawn('unshare', ['-rm', 'sh', '-c', run, 'sh', process.execPath, CHILD, folder, 'fill'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) lines.push(line);
    assert.deepEqual(lines, [
      // 48 KiB in files of 16 KiB, then 40 KiB for which two of them must make way, then 80 KiB that never fit.
      'one, two, three',
      'large: 40960',
      'huge: not kept',
      'one again: 16384',
    ]);
  },
);
