import assert from 'node:assert/strict';
import { appendFileSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { NamePattern } from '../../../src/jobs/commands/patterns.ts';
import { SyncDuring } from '../../../src/jobs/commands/sync-during.ts';
import { until } from './rig.ts';

/** Keeps a folder; uploads are noted, after `onUpload`, and `beforeCopy` is called before each copy is made. */
async function rig(t: TestContext) {
  const root = await mkdtemp(path.join(os.tmpdir(), 'carpool-sync-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const alive = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(alive));
  const folder = path.join(root, 'folder');
  const temporary = path.join(root, 'temporary');
  await Promise.all([mkdir(folder), mkdir(temporary)]);
  const hooks: { beforeCopy: () => void; onUpload: () => Promise<void>; onLook: (files: number) => void } = {
    onLook: () => undefined,
    beforeCopy: () => undefined,
    onUpload: () => Promise.resolve(),
  };
  const uploads: string[] = [];
  const end = new AbortController();
  t.after(() => end.abort());
  const sync = new SyncDuring({
    rules: [{ prefix: 's3://b/', folder, pattern: new NamePattern(undefined) }],
    transfers: {
      async upload(_file, place, _signal, source = '') {
        const text = await readFile(source, 'utf8');
        await hooks.onUpload();
        uploads.push(`${place} ${text}`);
      },
      remove: () => Promise.resolve(),
    },
    temporary: (name) => {
      hooks.beforeCopy();
      return path.join(temporary, name);
    },
    clock: systemClock,
    log: { warn: () => undefined },
    limits: { settleMs: 20, errors: 3, lateMs: 60_000 },
    signal: end.signal,
    mayRemove: () => true,
    onBacklog: (files) => hooks.onLook(files),
    onTrouble: (error) => assert.fail(error),
  });
  return { sync, root, hooks, uploads, file: (name: string) => path.join(folder, name) };
}

test('a file that changes while it is copied is left for the next round', async (t) => {
  const { sync, hooks, uploads, file } = await rig(t);
  await sync.begin();
  let changes = 3;
  hooks.beforeCopy = () => {
    if (changes-- > 0) appendFileSync(file('state'), 'x');
  };
  await writeFile(file('state'), '');
  await until('it is stored', () => uploads.length > 0);
  await sync.finish();
  assert.deepEqual(uploads, ['s3://b/state xxx']);
});

test('what changes while a round is stored goes with the next one, and only its newest version', async (t) => {
  const { sync, root, hooks, uploads, file } = await rig(t);
  await sync.begin();
  hooks.onUpload = async () => {
    if (uploads.length > 0) return;
    for (const text of ['2', '3', '4']) {
      await writeFile(file('new'), text);
      await rename(file('new'), file('run/state'));
    }
  };
  // Both appear at one moment.
  await mkdir(path.join(root, 'run'));
  await writeFile(path.join(root, 'run/data'), '1');
  await writeFile(path.join(root, 'run/state'), '1');
  await rename(path.join(root, 'run'), file('run'));
  await until('the new state is stored', () => uploads.length === 3);
  await sync.finish();
  assert.deepEqual(uploads, ['s3://b/run/data 1', 's3://b/run/state 1', 's3://b/run/state 4']);
});

test('a checkpoint waits for data that were written before it and are found after it', async (t) => {
  const { sync, hooks, uploads, file } = await rig(t);
  await sync.begin();
  let areThere = false;
  hooks.onLook = (files) => {
    if (files !== 1 || areThere) return;
    areThere = true;
    writeFileSync(file('data'), '1');
    utimesSync(file('data'), 1, 1);
  };
  await writeFile(file('state'), '1');
  await until('both are stored', () => uploads.length === 2);
  await sync.finish();
  assert.deepEqual(uploads, ['s3://b/data 1', 's3://b/state 1']);
});
