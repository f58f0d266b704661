import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { takeLock } from '../src/file-lock.ts';
import { makeModelsDir } from './hub/support.ts';

test('a lock has one holder at a time, and none afterwards', async (t) => {
  const folder = await makeModelsDir(t);
  const file = path.join(folder, 'lock');
  let holders = 0;
  let most = 0;
  const hold = async (): Promise<void> => {
    const release = await takeLock(file, { lookMs: 1 });
    holders += 1;
    most = Math.max(most, holders);
    await new Promise((resolve) => setImmediate(resolve));
    holders -= 1;
    await release();
  };
  await Promise.all(Array.from({ length: 10 }, hold));
  assert.equal(most, 1);
  assert.deepEqual(await readdir(folder), []);
});

test('a lock whose process is gone, or that is no longer touched, is taken over', async (t) => {
  const folder = await makeModelsDir(t);
  const file = path.join(folder, 'lock');
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  await writeFile(file, JSON.stringify({ pid, host: os.hostname(), token: 'a' }));
  const waits: string[] = [];
  const onWait = (): unknown => waits.push('waited');
  await (
    await takeLock(file, { lookMs: 1, onWait })
  )();
  assert.deepEqual(waits, []);
  await writeFile(file, JSON.stringify({ pid: 1, host: 'another-machine', token: 'b' }));
  await (
    await takeLock(file, { lookMs: 1, staleMs: 20, onWait })
  )();
  await writeFile(file, 'nonsense');
  await (
    await takeLock(file, { lookMs: 1, staleMs: 20, onWait })
  )();
  assert.deepEqual(waits, ['waited', 'waited']);
  assert.deepEqual(await readdir(folder), []);
});

test('a wait for a lock ends with its signal', async (t) => {
  const file = path.join(await makeModelsDir(t), 'lock');
  const release = await takeLock(file);
  const stop = new AbortController();
  const waiting = takeLock(file, {
    lookMs: 60_000,
    signal: stop.signal,
    onWait: () => setImmediate(() => stop.abort()),
  });
  await assert.rejects(waiting, { name: 'AbortError' });
  await release();
});

test('a holder whose number is now another process is told from one that touches the lock', async (t) => {
  const folder = await makeModelsDir(t);
  const file = path.join(folder, 'lock');
  const content = JSON.stringify({ pid: process.pid, host: os.hostname(), token: 'a' });
  const stop = new AbortController();
  const onAlive = (): void => stop.abort(new Error('alive'));
  await writeFile(file, content);
  await (
    await takeLock(file, { lookMs: 1, staleMs: 20, signal: stop.signal, onAlive })
  )();
  assert.ok(!stop.signal.aborted);
  await writeFile(file, content);
  const touch = (): void => void utimes(file, new Date(), new Date(1000));
  await assert.rejects(takeLock(file, { lookMs: 1, signal: stop.signal, onWait: touch, onAlive }), {
    message: 'alive',
  });
});
