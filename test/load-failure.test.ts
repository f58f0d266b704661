import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkNode, explainLoadFailure } from '../src/load-failure.ts';

test('an old Node is told of in one line, and which one is wanted', () => {
  assert.throws(
    () => checkNode('v18.20.8'),
    /^Error: This is Node v18\.20\.8, and Carpool needs 20\.19 or newer: nvm install/,
  );
  assert.throws(() => checkNode('v20.9.0'), /needs 20\.19/);
  for (const version of ['v20.19.0', 'v24.1.0', process.version]) checkNode(version);
});

test('a program that may open too few files says which limit to raise', () => {
  const error = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
  assert.match(explainLoadFailure(error), /^EMFILE: too many open files\n.*ulimit -n \d+$/);
});

test('other failures are told as they are', () => {
  assert.equal(explainLoadFailure(new Error('out of order')), 'out of order');
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
