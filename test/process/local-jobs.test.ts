import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Carpool } from './carpool.ts';

const JOBS = 300;
const KILLS = 3;

test('jobs that were accepted are all answered, though the server is killed at random moments', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-jobs-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const start = async (): Promise<Carpool> => {
    const server = await Carpool.start({ MODELS: 'square', JOBS_DIR: folder, JOB_ATTEMPTS: '20' });
    t.after(() => server[Symbol.asyncDispose]());
    return server;
  };
  let server = await start();
  const ids: string[] = [];
  const send = async (data: number): Promise<void> => {
    const { status, body } = await server.post('/v1/jobs', {
      custom_id: `r${data}`,
      url: '/predict/square',
      body: { data },
    });
    assert.equal(status, 202);
    ids[data] = (body as { id: string }).id;
  };
  for (let killed = 0; killed <= KILLS; killed += 1) {
    const part = Array.from({ length: JOBS / (KILLS + 1) }, (_, index) => (killed * JOBS) / (KILLS + 1) + index);
    const killAfterMs = Math.random() * 300;
    t.diagnostic(`kill ${killed} after ${killAfterMs} ms`);
    const sending = Promise.all(part.map((data) => send(data).catch(() => undefined)));
    if (killed < KILLS) {
      await sleep(killAfterMs);
      await server[Symbol.asyncDispose]();
      await sending;
      server = await start();
    }
    // Those that were not accepted, or whose answer was lost, are sent again under the same name.
    await sending;
    for (const data of part) if (ids[data] === undefined) await send(data);
  }
  for (const [data, id] of ids.entries())
    for (;;) {
      const { body } = await server.get(`/v1/jobs/${id}`);
      const { status, result } = body as { status: string; result: { response: { body: unknown } } };
      if (status === 'waiting' || status === 'running') await sleep(20);
      else {
        assert.equal(status, 'completed');
        assert.deepEqual(result.response.body, { result: data * data });
        break;
      }
    }
  assert.equal(new Set(ids).size, JOBS);
});
