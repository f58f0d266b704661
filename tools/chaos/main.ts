import { parseArgs } from 'node:util';
import { localQueue } from '../queues/local.ts';
import { natsCluster, natsQueue } from '../queues/nats.ts';
import type { RealQueue } from '../queues/real-queue.ts';
import { redisQueue } from '../queues/redis.ts';
import { sqsQueue } from '../queues/sqs.ts';
import { fileStorm } from './file.ts';
import { kelpieStorm } from './kelpie.ts';
import { hasFaults, tableOf, type StormReport } from './report.ts';
import { saladStorm } from './salad.ts';
import { storm } from './storm.ts';

/**
 * `node dist/tools/chaos/main.js [source ...] [--jobs 1000] [--workers 3] [--events 30] [--lease-ms 2000] [--seed n]`: a storm on each source, and a table of
 * what became of its jobs. Those whose names end in `+s3` have their answers stored as objects. Ends with 1 if a job was lost, or a result came twice or early.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '1000' },
    workers: { type: 'string', default: '3' },
    events: { type: 'string', default: '30' },
    'lease-ms': { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const options = {
  jobs: Number(values.jobs),
  workers: Number(values.workers),
  events: Number(values.events),
  leaseMs: Number(values['lease-ms']),
  seed: Number(values.seed),
  runMs: 100,
  limitMs: 1_800_000,
};

async function onQueue(open: () => Promise<RealQueue>, stored: boolean): Promise<StormReport> {
  const queue = await open();
  try {
    return await storm(queue, { ...options, stored });
  } finally {
    await queue.stop();
  }
}

const STORMS: Readonly<Record<string, () => Promise<StormReport>>> = {
  redis: () => onQueue(redisQueue, false),
  nats: () => onQueue(natsQueue, false),
  'nats-cluster': () => onQueue(natsCluster, false),
  sqs: () => onQueue(sqsQueue, false),
  local: () => onQueue(localQueue, false),
  'redis+s3': () => onQueue(redisQueue, true),
  'nats+s3': () => onQueue(natsQueue, true),
  'sqs+s3': () => onQueue(sqsQueue, true),
  'local+s3': () => onQueue(localQueue, true),
  file: () => fileStorm(options),
  salad: () => saladStorm(options),
  kelpie: () => kelpieStorm({ ...options, steps: 5 }),
};

const reports: [string, StormReport][] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(STORMS)) {
  const start = STORMS[name];
  if (start === undefined) throw new Error(`there is no source ${name}; there are ${Object.keys(STORMS).join(', ')}`);
  console.error(`${name}: --seed ${options.seed}`);
  const report = await start();
  reports.push([name, report]);
  console.error(JSON.stringify(report));
}
console.log(`--seed ${options.seed}\n\n${tableOf(reports)}`);
process.exitCode = reports.some(([, { faults }]) => hasFaults(faults)) ? 1 : 0;
