import { test, type TestContext } from 'node:test';
import { natsQueue } from '../../tools/queues/nats.ts';
import type { RealQueue } from '../../tools/queues/real-queue.ts';
import { redisQueue } from '../../tools/queues/redis.ts';
import { storm } from '../../tools/chaos/storm.ts';
import { withoutNats } from './nats/nats-server.ts';
import { withoutRedis } from './redis/redis-server.ts';

/** Storms in small; `node dist/tools/chaos/main.js` has them in full. */

async function survives(t: TestContext, open: () => Promise<RealQueue>): Promise<void> {
  const seed = Number(process.env['SEED'] ?? Date.now() % 100_000);
  t.diagnostic(`SEED=${seed}`);
  const queue = await open();
  t.after(() => queue.stop());
  const report = await storm(queue, {
    jobs: 100,
    workers: 2,
    events: 4,
    seed,
    leaseMs: 1000,
    runMs: 50,
    limitMs: 240_000,
  });
  t.diagnostic(JSON.stringify(report));
}

test('Redis: of jobs whose workers and queue are killed none is lost or answered twice', { skip: withoutRedis }, (t) =>
  survives(t, redisQueue),
);

test('NATS: of jobs whose workers and queue are killed none is lost or answered twice', { skip: withoutNats }, (t) =>
  survives(t, natsQueue),
);
