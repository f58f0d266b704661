import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../src/core/clock.ts';
import { NamePattern } from '../../../src/jobs/commands/patterns.ts';
import { SyncDuring } from '../../../src/jobs/commands/sync-during.ts';
import { until } from './rig.ts';

/** What is stored at each moment: the history names a checkpoint that is there, and so are the data that it names. */

const PARTS = ['data', 'checkpoint', 'history'] as const;
const PREFIX = 's3://b/';

/** Folders for the three, kept by a storage whose calls `fail` may fail; after each call, what is stored is checked. */
async function rig(t: TestContext, fail: (call: string) => void) {
  const root = await mkdtemp(path.join(os.tmpdir(), 'carpool-order-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const alive = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(alive));
  for (const name of [...PARTS, 'new', 'copies']) await mkdir(path.join(root, name));
  const stored = new Map<string, string>();
  const wrong: string[] = [];
  const hooks = { onCopy: (): void => undefined, onLook: (): void => undefined };
  const look = (call: string): void => {
    const checkpoint = stored.get('history/history');
    if (checkpoint === undefined) return;
    const data = stored.get(`checkpoint/${checkpoint}`)?.split(' ');
    for (const name of data ?? [])
      if (!stored.has(`data/${name}`)) wrong.push(`${call}: ${checkpoint} without ${name}`);
    if (data === undefined) wrong.push(`${call}: there is no ${checkpoint}`);
  };
  const call = (what: string, act: () => void): void => {
    fail(what);
    act();
    look(what);
  };
  const end = new AbortController();
  t.after(() => end.abort());
  const sync = new SyncDuring({
    rules: PARTS.map((part) => ({
      prefix: `${PREFIX}${part}/`,
      folder: path.join(root, part),
      pattern: new NamePattern(undefined),
    })),
    transfers: {
      async upload(_file, place, _signal, source = '') {
        const [name, text] = [place.slice(PREFIX.length), await readFile(source, 'utf8')];
        call(`upload ${name} ${text}`, () => stored.set(name, text));
      },
      async remove(place) {
        const name = place.slice(PREFIX.length);
        await Promise.resolve();
        call(`remove ${name}`, () => stored.delete(name));
      },
    },
    temporary: (name) => {
      hooks.onCopy();
      return path.join(root, 'copies', name);
    },
    // Waits after failures are seconds.
    clock: { now: () => systemClock.now(), after: (delayMs, act) => systemClock.after(Math.min(delayMs, 10), act) },
    log: { warn: () => undefined },
    limits: { settleMs: 10, errors: 1000, lateMs: Infinity },
    signal: end.signal,
    mayRemove: () => true,
    onBacklog: () => hooks.onLook(),
    onTrouble: (error) => assert.fail(error),
  });
  const save = async (name: string, text: string): Promise<void> => {
    await writeFile(path.join(root, 'new', 'file'), text);
    await rename(path.join(root, 'new', 'file'), path.join(root, name));
  };
  const drop = (name: string): Promise<void> => rm(path.join(root, name));
  return { sync, stored, wrong, hooks, save, drop, fileOf: (name: string) => path.join(root, name) };
}

/** Numbers from 0 to 1 that are the same for the same seed (an LCG with the numbers of Numerical Recipes). */
function numbersOf(seed: number): () => number {
  let state = seed;
  return () => (state = (1664525 * state + 1013904223) % 2 ** 32) / 2 ** 32;
}

test('while calls fail and are tried again, the history that is stored names a checkpoint whose data are stored', async (t) => {
  const seed = Date.now() % 2 ** 32;
  t.diagnostic(`seed ${seed}`);
  const random = numbersOf(seed);
  let failures = 0;
  const { sync, stored, wrong, save, drop } = await rig(t, (call) => {
    if (random() > 0.4) return;
    failures += 1;
    throw new Error(call);
  });
  await sync.begin();
  const STEPS = 80;
  for (let step = 1; step <= STEPS; step += 1) {
    await save(`data/a${step}`, `${step}`);
    await save(`data/b${step}`, `${step}`);
    await save(`checkpoint/c${step}`, `a${step} b${step}`);
    await save('history/history', `c${step}`);
    if (step > 2)
      for (const name of [`checkpoint/c${step - 2}`, `data/a${step - 2}`, `data/b${step - 2}`]) await drop(name);
    // Some follow each other too fast to settle.
    await sleep(random() < 0.3 ? 50 * random() : 5 * random());
  }
  await sync.finish();
  assert.ok(failures > 0);
  assert.deepEqual(wrong, []);
  assert.equal(stored.get('history/history'), `c${STEPS}`);
  assert.equal(stored.size, 7);
});

test('what goes while a history waits to be stored stays in the storage until it is', async (t) => {
  let isHeld = false;
  const { sync, stored, wrong, save, drop } = await rig(t, (call) => {
    if (isHeld && call.startsWith('upload')) throw new Error(call);
  });
  await sync.begin();
  const step = async (name: string): Promise<void> => {
    await save(`data/${name}`, name);
    await save(`checkpoint/c${name}`, name);
    await save('history/history', `c${name}`);
  };
  await step('1');
  await until('it is stored', () => stored.size === 3);
  isHeld = true;
  await step('2');
  for (const name of ['checkpoint/c1', 'data/1']) await drop(name);
  await sleep(60);
  assert.equal(stored.size, 3);
  isHeld = false;
  await until('the old ones are removed', () => stored.size === 3 && stored.has('data/2'));
  await sync.finish();
  assert.deepEqual(wrong, []);
});

test('a history that never settles keeps what its stored version names', async (t) => {
  const { sync, stored, wrong, hooks, save, drop, fileOf } = await rig(t, () => undefined);
  await sync.begin();
  await save('data/1', '1');
  await save('checkpoint/c1', '1');
  await save('history/history', 'c1');
  await until('it is stored', () => stored.size === 3);
  let looks = 0;
  hooks.onLook = () => {
    looks += 1;
    writeFileSync(fileOf('history/history'), `c2${' '.repeat(looks % 2)}`);
  };
  await save('data/2', '2');
  await save('checkpoint/c2', '2');
  hooks.onLook();
  for (const name of ['checkpoint/c1', 'data/1']) await drop(name);
  await until('the folders are looked at', () => looks > 10);
  assert.ok(stored.has('data/1') && stored.has('checkpoint/c1'));
  hooks.onLook = () => undefined;
  await save('history/history', 'c2');
  await sync.finish();
  assert.deepEqual(wrong, []);
  assert.deepEqual([...stored.keys()].sort(), ['checkpoint/c2', 'data/2', 'history/history']);
});

test('what goes before it is copied holds back what was written after it', async (t) => {
  const { sync, stored, wrong, hooks, save, fileOf } = await rig(t, () => undefined);
  await sync.begin();
  let copies = 0;
  hooks.onCopy = () => {
    copies += 1;
    // The history, then the checkpoint, then the data.
    if (copies !== 3) return;
    for (const name of ['data/1', 'checkpoint/c1']) rmSync(fileOf(name));
    for (const [name, text] of Object.entries({ 'data/2': '2', 'checkpoint/c2': '2', 'history/history': 'c2' }))
      writeFileSync(fileOf(name), text);
  };
  await save('data/1', '1');
  await save('checkpoint/c1', '1');
  await save('history/history', 'c1');
  await until('the next step is stored', () => stored.get('history/history') === 'c2');
  await sync.finish();
  assert.deepEqual(wrong, []);
});
