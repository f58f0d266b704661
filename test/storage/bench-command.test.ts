import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { benchFlags } from '../../src/storage/bench-flags.ts';
import { CLI } from '../process/carpool.ts';
import { S3Server, withoutS3 } from './s3-server.ts';

test('the command line of bench-storage names a place and a size', () => {
  const flags = benchFlags(['s3://bucket/x', '--size', '1.5GB', '--json', '--s3-addressing', 'path']);
  assert.deepEqual(flags, { prefix: 's3://bucket/x', sizeBytes: 1.5e9, json: true, rest: ['--s3-addressing=path'] });
  for (const bad of [
    [],
    ['a', 'b'],
    ['s3://b', '--size', '200'],
    ['s3://b', '--size', '0MB'],
    ['s3://b', '--sise', '1MB'],
  ])
    assert.ok('problem' in benchFlags(bad), bad.join(' '));
});

const run = promisify(execFile);
const LIMIT_MS = 60_000;

test('bench-storage measures a storage and leaves nothing there', { skip: withoutS3 }, async (t) => {
  const server = await S3Server.start(t);
  const cli = [CLI, 'bench-storage', 's3://bucket/bench', '--size', '12MB'];
  const options = { env: { ...process.env, ...server.env }, timeout: LIMIT_MS };
  const { stdout: json } = await run(process.execPath, [...cli, '--json'], options);
  const figures = JSON.parse(json) as Record<string, number>;
  assert.deepEqual(Object.keys(figures), [
    ...['ul_size(MB)', 'ul_duration(s)', 'ul_throughput(Mbps)'],
    ...['dl_size(MB)', 'dl_duration(s)', 'dl_throughput(Mbps)'],
  ]);
  assert.equal(figures['ul_size(MB)'], 12);
  for (const value of Object.values(figures)) assert.ok(value > 0);
  const { stdout: table } = await run(process.execPath, cli, options);
  assert.match(table, /^ +size \(MB\) +time \(s\) +rate \(Mbps\)\nupload +12\.000 .*\ndownload +12\.000 .*\n$/);
  assert.deepEqual(await server.files(), []);
  const wrong = { ...options, env: { ...options.env, AWS_SECRET_ACCESS_KEY: 'another' } };
  await assert.rejects(run(process.execPath, cli, wrong), (error: Error & { code: number; stderr: string }) => {
    assert.equal(error.code, 1);
    assert.match(
      error.stderr,
      /(?:^|\n)s3:\/\/bucket\/bench\/carpool-bench-[0-9a-f-]+: the storage answered 403 \(SignatureDoesNotMatch\)\n$/,
    );
    return true;
  });
});
