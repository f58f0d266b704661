import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withoutElasticMq } from '../jobs/sqs/sqs-server.ts';
import { withoutS3 } from '../storage/s3-server.ts';

const RUN = fileURLToPath(new URL('../../../examples/sqs/run.js', import.meta.url));
const LIMIT_MS = 300_000;

test(
  'demo app 2v2 ends with the right sums although a worker is killed',
  { skip: withoutElasticMq === false ? withoutS3 : withoutElasticMq },
  async () => {
    const args = [RUN, '--steps', '30', '--save-ms', '150'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
    assert.match(stdout, /KILLED/);
    assert.equal(stdout.match(/output 465, expected 465/g)?.length, 2);
  },
);
