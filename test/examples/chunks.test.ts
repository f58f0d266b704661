import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withoutRedis } from '../jobs/redis/redis-server.ts';
import { withoutS3 } from '../storage/s3-server.ts';

const only = { skip: withoutRedis === false ? withoutS3 : withoutRedis };
const RUN = fileURLToPath(new URL('../../../examples/chunks/run.js', import.meta.url));
const LIMIT_MS = 300_000;

for (const kind of ['gromacs', 'openmm'])
  test(`the ${kind} example ends with the right number although a worker is killed`, only, async () => {
    const args = [RUN, kind, '--steps', '120', '--kills', '1', '--chunk-seconds', '0.3', '--step-ms', '10'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
    // The history is stored after the checkpoint: a worker that was killed in between is not in it.
    assert.match(stdout, /KILLED[^]*going on from step \d+[^]*120 steps on [123] machines/);
  });
