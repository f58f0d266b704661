import { parseArgs } from 'node:util';
import { natsCluster, natsQueue } from '../queues/nats.ts';
import type { RealQueue } from '../queues/real-queue.ts';
import { redisQueue } from '../queues/redis.ts';
import { storm } from './storm.ts';

/** `node dist/tools/chaos/main.js [queue ...] [--jobs 1000] [--workers 3] [--events 20] [--lease-ms 2000] [--seed n]`: a storm on each queue. */

const QUEUES: Readonly<Record<string, () => Promise<RealQueue>>> = {
  nats: natsQueue,
  'nats-cluster': natsCluster,
  redis: redisQueue,
};

/** Beyond its lease a job may be held until a worker has started and looks for it. */
const LATE_MS = 30_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '1000' },
    workers: { type: 'string', default: '3' },
    events: { type: 'string', default: '20' },
    'lease-ms': { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const seed = Number(values.seed);
const leaseMs = Number(values['lease-ms']);
for (const name of positionals.length > 0 ? positionals : Object.keys(QUEUES)) {
  const open = QUEUES[name];
  if (open === undefined) throw new Error(`there is no queue ${name}; there are ${Object.keys(QUEUES).join(', ')}`);
  console.log(`${name}: --seed ${seed}`);
  const queue = await open();
  try {
    const report = await storm(queue, {
      jobs: Number(values.jobs),
      workers: Number(values.workers),
      events: Number(values.events),
      leaseMs,
      seed,
      runMs: 100,
      limitMs: 600_000,
    });
    if (report.oldestHoldMs > leaseMs + LATE_MS)
      throw new Error(`a job was held for ${report.oldestHoldMs} ms without a sign of life`);
    const { jobs, kills, pauses, stalls, restarts, seconds, calmMs, oldestHoldMs } = report;
    console.log(
      `${jobs} jobs, each with one right result, in ${seconds.toFixed(0)} s; ${kills} workers killed, ${pauses} stopped and ${stalls} cut off for longer than a lease, ` +
        `the queue killed ${restarts} times; done ${Math.round(calmMs)} ms after the last of it` +
        (oldestHoldMs > 0 ? `; longest without a sign of life ${oldestHoldMs} ms` : ''),
    );
  } finally {
    await queue.stop();
  }
}
