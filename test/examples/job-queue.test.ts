import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const RUN = fileURLToPath(new URL('../../../examples/job-queue/run.js', import.meta.url));
const LIMIT_MS = 120_000;

test('jobs of the queue succeed at their first attempt while clients fill the server', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [RUN], { timeout: LIMIT_MS });
  assert.match(stdout, /every job has its one right result, and none was refused/);
});
