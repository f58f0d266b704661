import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withoutRedis } from '../jobs/redis/redis-server.ts';
import { sharedModel, SHARED_MODELS } from '../shared-models.ts';
import { withoutS3 } from '../storage/s3-server.ts';

const RUN = fileURLToPath(new URL('../../../examples/transcription/run.js', import.meta.url));
const LIMIT_MS = 330_000;

const withoutModel = sharedModel('transcription') === undefined ? 'there is no speech model' : false;
const skip = [withoutModel, withoutRedis, withoutS3].find((reason) => reason !== false) ?? false;
const run = (args: readonly string[]): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, [RUN, ...args], { timeout: LIMIT_MS });

test('each recording has its report in the bucket, although that was away and some are none', { skip }, async () => {
  const { stdout } = await run(['--models', SHARED_MODELS, '--long-seconds', '40']);
  assert.match(stdout, /the bucket has refused three times/);
  for (const name of ['absent', 'broken', 'long', 'sample', 'synthetic'])
    assert.match(stdout, new RegExp(`s3://bucket/reports/0000_playlist_${name}\\.txt {2}\\d+ bytes`));
  assert.match(stdout, /5 reports, 0 dead letters/);
});

test('the transcription example says where a model is missing', async () => {
  await assert.rejects(run(['--models', '/nowhere']), { code: 2, stderr: /There is no speech model at/ });
});
