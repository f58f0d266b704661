import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded } from '../../src/jobs/job-board.ts';
import { JobStore } from '../../src/jobs/local/store.ts';
import { ask, post, startTestServer } from './in-process.ts';

test('a job that ends while it is asked for is not shown as ended without its result', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-jobs-'));
  const server = await startTestServer({
    MODELS: 'square',
    JOBS_DIR: folder,
    MODEL_OPTIONS: '{"square":{"simulate":{"runMs":300}}}',
  });
  t.after(async () => {
    await server.drain();
    await rm(folder, { recursive: true, force: true });
  });
  const read = t.mock.method(JobStore.prototype, 'resultOf');
  // The answer of a slow disk: the job ends before it comes.
  read.mock.mockImplementation(async function (this: JobStore, id: string) {
    read.mock.restore();
    const line = await JobStore.prototype.resultOf.call(this, id);
    while (!hasEnded(await this.find(id))) await sleep(5);
    return line;
  });
  const { json: job } = await post(`${server.url}/v1/jobs`, '{"url":"/predict/square","body":{"data":7}}');
  const { id } = job as { id: string };
  for (let tries = 0; tries < 6000; tries += 1) {
    const { json } = await ask(`${server.url}/v1/jobs/${id}`);
    const { status, result } = json as { status: string; result: { response: { body: unknown } } | null };
    if (status === 'completed') {
      assert.deepEqual(result?.response.body, { result: 49 });
      return;
    }
    assert.equal(result, null);
    await sleep(5);
  }
  assert.fail('the job has not ended');
});
