import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { JobFolders } from '../src/jobs/commands/folders.ts';
import { Database } from '../src/jobs/local/database.ts';
import { makeFolder } from '../src/make-folder.ts';

/** Node's own `recursive` never ends there. */
const NOWHERE = '/proc/none/folder';
const isLinux = process.platform === 'linux';

test('a folder is made with those above it, also when it is there', async (t) => {
  const top = await mkdtemp(path.join(tmpdir(), 'carpool-'));
  t.after(() => rm(top, { recursive: true }));
  const folder = path.join(top, 'a', 'b');
  await Promise.all([makeFolder(folder), makeFolder(folder)]);
  await makeFolder(folder);
  assert.ok((await stat(folder)).isDirectory());
});

test('a folder of jobs that cannot be made is told, not waited for', { skip: !isLinux, timeout: 60_000 }, async () => {
  await assert.rejects(makeFolder(NOWHERE), /ENOENT/);
  await assert.rejects(Database.open(NOWHERE), /ENOENT/);
  await assert.rejects(new JobFolders([NOWHERE], []).prepare([]), /ENOENT/);
});
