import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { withMembers } from '../../src/tune/model-json.ts';
import { CLI, SERVER_ENV, SHIPPED_MODELS } from '../process/carpool.ts';

const BLOCK = { lanes: 2, batching: { maxItems: 8, maxDelayMs: 0 } };

test('members are written into the text of an object, and the rest stays as it was written', () => {
  const text = [
    '{',
    '  "description": "a {strange} \\"one\\"",',
    '  "batching": { "maxItems": 64, "maxCost": 7 },',
    '  "example": { "data": [0,0.02,  0.05] }',
    '}',
    '',
  ].join('\n');
  assert.equal(
    withMembers(text, BLOCK),
    [
      '{',
      '  "description": "a {strange} \\"one\\"",',
      '  "batching": { "maxItems": 8, "maxCost": 7, "maxDelayMs": 0 },',
      '  "example": { "data": [0,0.02,  0.05] },',
      '  "lanes": 2',
      '}',
      '',
    ].join('\n'),
  );
  assert.equal(withMembers('{}\n', { lanes: 2 }), '{"lanes": 2}\n');
  assert.deepEqual(JSON.parse(withMembers('{"batching":3}', BLOCK)), BLOCK);
  assert.throws(() => withMembers('[1]', BLOCK), /no JSON object/);
});

test('tune finds a setting for a model and writes it into model.json', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-tune-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(path.join(SHIPPED_MODELS, 'square'), path.join(folder, 'square'), { recursive: true });
  const argv = [CLI, 'tune', 'square', '--p99', '60000', '--seconds', '0.1', '--batches', '1,4', '--write', '--json'];
  const plot = path.join(folder, 'plot.html');
  argv.push('--plot', plot);
  const { stdout } = await promisify(execFile)(process.execPath, argv, {
    env: { ...SERVER_ENV, MODELS_DIR: folder, API_KEY: 'a key of the environment' },
    timeout: 120_000,
  });
  const { block, chosen, curve } = JSON.parse(stdout) as {
    block: { lanes: number; batching: { maxItems: number } };
    chosen: { best: { perSecond: number } };
    curve: unknown[];
  };
  assert.ok(chosen.best.perSecond > 0 && curve.length > 0);
  const written = JSON.parse(await readFile(path.join(folder, 'square/model.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual(written['batching'], block.batching);
  assert.equal(written['lanes'], block.lanes);
  assert.deepEqual(written['example'], { data: 3 });
  assert.match(await readFile(plot, 'utf8'), /<h1>carpool tune square<\/h1><svg [^]*>limit<[^]*Written into /);
});

test('tune says why its server cannot serve the model', async () => {
  const env = { ...SERVER_ENV, MODELS_DIR: SHIPPED_MODELS };
  const child = promisify(execFile)(process.execPath, [CLI, 'tune', 'circle'], { env, timeout: 120_000 });
  await assert.rejects(child, (error: Error & { code?: number; stderr?: string }) => {
    assert.equal(error.code, 1);
    assert.match(error.stderr ?? '', /circle: there is no folder of this name/);
    return true;
  });
});
