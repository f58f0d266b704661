import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explainLoadFailure } from '../src/load-failure.ts';

test('a program that an old Node cannot load says which Node is wanted', () => {
  const told = explainLoadFailure(new SyntaxError("no export named 'hash'"), 'v18.20.8');
  assert.match(told, /no export named 'hash'\nThis is Node v18\.20\.8, and at least 20\.19 is wanted: nvm install/);
});

test('a program that may open too few files says which limit to raise', () => {
  const error = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
  assert.match(explainLoadFailure(error, 'v20.19.0'), /^EMFILE: too many open files\n.*ulimit -n \d+$/);
});

test('other failures are told as they are', () => {
  assert.equal(explainLoadFailure(new Error('out of order'), 'v24.1.0'), 'out of order');
});

test('a process that may open few files says so, and shows no stack', () => {
  const cli = fileURLToPath(new URL('../src/cli.js', import.meta.url));
  const script = 'ulimit -n 64; exec "$0" "$1" doctor --help';
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, cli], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  // Another version of Node may get by with so few.
  if (status !== 0) assert.match(stderr, /^EMFILE: .*\n.*ulimit -n \d+\n$/);
});
