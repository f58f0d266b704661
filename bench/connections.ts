import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { formatTable, short } from '../src/benchmark/table.ts';
import { messageOf } from '../src/errors.ts';
import { type Child, startChild } from './child.ts';
import type { HoldAnswer, HolderRequest } from './connections/holder.ts';
import { probeHealth } from './health-probe.ts';
import { MLP_WIDTHS, prepareModel } from './models.ts';
import { positive } from './options.ts';
import { cpuSeconds, watchMemory } from './process-usage.ts';
import { startServer } from './server-process.ts';
import { median, percentileOf } from '../src/benchmark/statistics.ts';

/** What connections cost on which nothing moves: bench/README.md. */

interface Crowd {
  readonly name: string;
  readonly text: string;
  readonly isAnswered: boolean;
}

const PREDICT = '{"data":3}';
const CROWDS: readonly Crowd[] = [
  { name: 'nothing sent yet', text: '', isAnswered: false },
  { name: 'half a header', text: 'POST /predict HTTP/1.1\r\nHost: bench\r\nContent-Le', isAnswered: false },
  {
    name: 'half a body',
    text: `POST /predict HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"data":`,
    isAnswered: false,
  },
  {
    name: 'between requests',
    text: `POST /predict HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${PREDICT.length}\r\n\r\n${PREDICT}`,
    isAnswered: true,
  },
];
/** Connections that warm the server up: what any first client costs is not counted. */
const WARM_UP = 500;

const WATCH_MS = 2000;

type Holder = Child<HolderRequest, HoldAnswer>;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { connections: { type: 'string' } } });
  const count = positive('connections', values.connections) ?? 10_000;
  console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}\n`);
  const rows: string[][] = [];
  for (const crowd of CROWDS) rows.push([crowd.name, ...(await measure(crowd, count))]);
  const head = ['', 'open', 'MiB before', 'added', 'KiB each', 'after', '/health p50 / most ms', 'main thread, cores'];
  console.log(formatTable(head, rows));
}

async function measure({ text, isAnswered }: Crowd, count: number): Promise<string[]> {
  const model = await prepareModel('square', MLP_WIDTHS);
  const server = await startServer({
    MODELS_DIR: model.modelsDir,
    MODELS: model.name,
    CONNECTION_LIMIT: String(count),
  });
  const holder: Holder = startChild('./connections/holder.js', []);
  const rssMib = (): number => watchMemory(() => [server.pid]).stop()[0] ?? NaN;
  const hold = (connections: number): Promise<HoldAnswer> =>
    holder.ask({ kind: 'hold', hold: { port: server.port, count: connections, text, isAnswered } });
  try {
    await hold(WARM_UP);
    await holder.ask({ kind: 'release' });
    const before = rssMib();
    const { open } = await hold(count);
    const added = rssMib() - before;
    const used = cpuSeconds([server.pid], server.pid);
    const probe = probeHealth(server.port, { isEachNew: true });
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    const { latenciesMs } = await probe.stop();
    const usedAfter = cpuSeconds([server.pid], server.pid);
    await holder.ask({ kind: 'release' });
    return [
      String(open),
      short(before),
      short(added),
      short((added * 1024) / open),
      short(rssMib()),
      `${short(median(latenciesMs))} / ${short(percentileOf(latenciesMs, 100))}`,
      used === undefined || usedAfter === undefined ? '-' : short((usedAfter - used) / (WATCH_MS / 1000)),
    ];
  } finally {
    await holder.stop();
    await server.stop();
    model.remove();
  }
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
