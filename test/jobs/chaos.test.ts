import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { natsQueue } from '../../tools/queues/nats.ts';
import type { RealQueue } from '../../tools/queues/real-queue.ts';
import { redisQueue } from '../../tools/queues/redis.ts';
import { hasFaults } from '../../tools/chaos/report.ts';
import { saladStorm } from '../../tools/chaos/salad.ts';
import { storm } from '../../tools/chaos/storm.ts';
import { withoutNats } from './nats/nats-server.ts';
import { withoutS3 } from '../storage/s3-server.ts';
import { withoutRedis } from './redis/redis-server.ts';

/** Storms in small; `node dist/tools/chaos/main.js` has them in full. */

function seedFor(t: TestContext): number {
  const seed = Number(process.env['SEED'] ?? Date.now() % 100_000);
  t.diagnostic(`SEED=${seed}`);
  return seed;
}

async function survives(t: TestContext, open: () => Promise<RealQueue>, stored = false): Promise<void> {
  const seed = seedFor(t);
  const queue = await open();
  t.after(() => queue.stop());
  const report = await storm(queue, {
    jobs: 100,
    workers: 2,
    events: stored ? 6 : 4,
    seed,
    leaseMs: 1000,
    runMs: 50,
    limitMs: 240_000,
    stored,
  });
  t.diagnostic(JSON.stringify(report));
  assert.ok(!hasFaults(report.faults), JSON.stringify(report.faults));
}

test('Redis: of jobs whose workers and queue are killed none is lost or answered twice', { skip: withoutRedis }, (t) =>
  // The last of its six strikes is at the storage.
  survives(t, redisQueue, withoutS3 === false),
);

test('NATS: of jobs whose workers and queue are killed none is lost or answered twice', { skip: withoutNats }, (t) =>
  survives(t, natsQueue),
);

test("SaladCloud's queue: jobs whose node is taken away, stands still or loses its worker have one right output", async (t) => {
  const seed = seedFor(t);
  const options = { jobs: 40, workers: 2, events: 3, seed, leaseMs: 500, runMs: 50, limitMs: 120_000 };
  const report = await saladStorm(options);
  t.diagnostic(JSON.stringify(report));
  assert.ok(!hasFaults(report.faults), JSON.stringify(report.faults));
});
