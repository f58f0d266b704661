import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/benchmark/table.ts';
import { messageOf } from '../src/errors.ts';
import { natsQueue } from '../tools/queues/nats.ts';
import { redisQueue } from '../tools/queues/redis.ts';
import { BATCH_HEADS, measureBatch } from './jobs/batch.ts';
import { measureQueue, QUEUE_HEADS } from './jobs/queues.ts';

/** Jobs from a file and from queues: bench/README.md. */

const QUEUES = { nats: natsQueue, redis: redisQueue } as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '8' },
    servers: { type: 'string', default: '1,4' },
    'run-ms': { type: 'string', default: '20' },
    lines: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
  },
});
const seconds = Number(values.seconds);
const load = { counts: values.servers.split(',').map(Number), seconds, runMs: Number(values['run-ms']) };
try {
  console.log(`${cpus()[0]?.model ?? 'a processor'}, ${availableParallelism()} cores, Node ${process.version}\n`);
  const wanted = positionals.length > 0 ? positionals : ['batch', ...Object.keys(QUEUES)];
  const rows: string[][] = [];
  for (const name of wanted) {
    if (name === 'batch')
      console.log(formatTable(BATCH_HEADS, await measureBatch(Number(values.lines), Number(values.rounds), seconds)));
    else if (name === 'nats' || name === 'redis') rows.push(...(await measureQueue(QUEUES[name], load)));
    else throw new Error(`there is no ${name}; there are batch, ${Object.keys(QUEUES).join(', ')}`);
  }
  if (rows.length > 0) console.log(formatTable(QUEUE_HEADS, rows));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
