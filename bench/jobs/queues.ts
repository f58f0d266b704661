import { setTimeout as sleep } from 'node:timers/promises';
import { short } from '../../src/benchmark/table.ts';
import type { RealQueue } from '../../tools/queues/real-queue.ts';
import { startServer, type ServerProcess } from '../server-process.ts';

const MAX_ITEMS = 8;
/** More than a server can have where runs take no time. */
const MOST_PER_SECOND = 5000;
const SENT_AT_ONCE = 500;
const WARM_UP_MS = 2000;

export const QUEUE_HEADS = ['queue', 'servers', 'jobs/s', 'of one server', 'least and most of a server'];

export interface QueueLoad {
  /** Numbers of servers. */
  readonly counts: readonly number[];
  readonly seconds: number;
  /** Each run of eight jobs takes so long, asleep, so that servers which share few cores do not take them from each other; 0: what a queue costs. */
  readonly runMs: number;
}

/** How many jobs a second a number of servers answer from one queue, and how evenly they share them. One row a number; the first is what the others are compared with. */
export async function measureQueue(open: () => Promise<RealQueue>, load: QueueLoad): Promise<string[][]> {
  const rows: string[][] = [];
  let one: number | undefined;
  for (const count of load.counts) {
    const queue = await open();
    const servers: ServerProcess[] = [];
    try {
      for (let index = 0; index < count; index += 1) servers.push(await startServer(envOf(queue, load)));
      const rates = await ratesOf(queue, servers, load);
      const sum = rates.reduce((left, right) => left + right, 0);
      one ??= sum / count;
      rows.push([
        queue.name,
        String(count),
        short(sum),
        short(sum / one),
        [Math.min(...rates), Math.max(...rates)].map(short).join(' to '),
      ]);
    } finally {
      for (const server of servers) await server.stop();
      await queue.stop();
    }
  }
  return rows;
}

function envOf(queue: RealQueue, { runMs }: QueueLoad): Readonly<Record<string, string>> {
  return {
    ...queue.env(queue.port),
    MODELS: 'square',
    LANES: '1',
    INFERENCE_API: 'false',
    MODEL_OPTIONS: JSON.stringify({
      square: { batching: { maxItems: MAX_ITEMS }, ...(runMs > 0 ? { simulate: { runMs } } : {}) },
    }),
  };
}

/** Jobs a second of each server, while the queue has more than they can take. */
async function ratesOf(
  queue: RealQueue,
  servers: readonly ServerProcess[],
  { seconds, runMs }: QueueLoad,
): Promise<number[]> {
  const perSecond = Math.min(MOST_PER_SECOND, (MAX_ITEMS * 1000) / runMs);
  const enough = Math.ceil(perSecond * servers.length * (seconds + WARM_UP_MS / 1000) * 1.5);
  for (let sent = 0; sent < enough; sent += SENT_AT_ONCE)
    await Promise.all(
      Array.from({ length: SENT_AT_ONCE }, (_, index) => queue.send(jobOf(sent + index), `${sent + index}`)),
    );
  await sleep(WARM_UP_MS);
  const before = await Promise.all(servers.map(answered));
  const beganMs = performance.now();
  await sleep(seconds * 1000);
  const after = await Promise.all(servers.map(answered));
  const passed = (performance.now() - beganMs) / 1000;
  if ((await queue.jobs()) === 0) throw new Error('the queue was empty before the end');
  return after.map((count, index) => (count - (before[index] ?? 0)) / passed);
}

function jobOf(number: number): string {
  return JSON.stringify({ custom_id: `job ${number}`, url: '/predict/square', body: { data: number } });
}

async function answered(server: ServerProcess): Promise<number> {
  const count = /^carpool_jobs_total\{[^}]*outcome="answered"[^}]*\} (\d+)/m.exec(await server.metrics())?.[1];
  return Number(count ?? 0);
}
