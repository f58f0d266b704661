import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A project that holds the command and nothing else. */
async function makeProject(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-bin-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
  await cp(path.join(ROOT, 'bin'), path.join(folder, 'bin'), { recursive: true });
  return folder;
}

function run(folder: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [path.join(folder, 'bin/carpool.js'), 'serve', '--port', '1'], {
    encoding: 'utf8',
  });
}

test('before a build the command says in one line what to do', async (t) => {
  const folder = await makeProject(t);
  const fresh = run(folder);
  assert.deepEqual([fresh.status, fresh.stdout], [1, '']);
  assert.match(fresh.stderr, /^carpool is not built yet: run `npm ci && npm run build` first.*`npm start`.*\n$/);
  await mkdir(path.join(folder, 'node_modules'));
  assert.match(run(folder).stderr, /^carpool is not built yet: run `npm run build` first.*\n$/);
});

test('after a build the command is what was built, with its arguments', async (t) => {
  const folder = await makeProject(t);
  await mkdir(path.join(folder, 'dist/src'), { recursive: true });
  await writeFile(path.join(folder, 'dist/src/cli.js'), 'console.log(process.argv.slice(2).join(" "));');
  const { status, stdout } = run(folder);
  assert.deepEqual([status, stdout], [0, 'serve --port 1\n']);
});

test('package.json names the command and packs it', async () => {
  const { bin, files } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
    files: string[];
  };
  assert.deepEqual(bin, { carpool: 'bin/carpool.js' });
  assert.ok(files.includes('bin') && files.includes('dist/src'));
});
