import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { scanFolder } from '../../../src/jobs/commands/scan.ts';
import { StorageError } from '../../../src/storage/storage.ts';

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-scan-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('links to files are files; those that lead to a folder, nowhere or in a circle are left out', async (t) => {
  const folder = await newFolder(t);
  await writeFile(path.join(folder, 'file'), 'x');
  await mkdir(path.join(folder, 'below'));
  await writeFile(path.join(folder, 'below', 'file'), 'x');
  await symlink('file', path.join(folder, 'link'));
  await symlink('below', path.join(folder, 'folder'));
  await symlink('nothing', path.join(folder, 'nowhere'));
  await symlink('circle', path.join(folder, 'circle'));
  const names = (await scanFolder(folder)).map(({ name }) => name);
  assert.deepEqual(names.sort(), ['below/file', 'file', 'link']);
});

test('a name that is not UTF-8 is told: its file would be missing among the outputs', async (t) => {
  const folder = await newFolder(t);
  const file = Buffer.concat([Buffer.from(path.join(folder, 'bad')), Buffer.from([0xff])]);
  try {
    await writeFile(file, 'x');
  } catch {
    t.skip('this file system has no such names');
    return;
  }
  await assert.rejects(
    scanFolder(folder),
    (error) => error instanceof StorageError && error.kind === 'BAD_PLACE' && /not UTF-8/.test(error.message),
  );
});
