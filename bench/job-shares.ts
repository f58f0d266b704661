import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { formatTable, short } from '../src/benchmark/table.ts';
import { messageOf } from '../src/errors.ts';
import { makePayload } from './payload.ts';
import { startServer, type ServerProcess } from './server-process.ts';
import { closedLoopByWrk } from './wrk.ts';

/** Jobs and HTTP requests on one lane: whether each get their share (JOB_SHARE_PERCENT), and how long health probes take meanwhile: bench/README.md. */

const SECONDS = Number(process.argv[2] ?? 20);
const SQUARE = fileURLToPath(new URL('../../models/square', import.meta.url));
const INPUTS = [{ name: 'x', datatype: 'FP64', shape: [-1] }] as const;
const MAX_ITEMS = 8;
const RUN_MS = 60;
const MOST_A_SECOND = (1000 / RUN_MS) * MAX_ITEMS;
const CONNECTIONS = 32;
const POSTS_AT_ONCE = 8;
const PROBE_EVERY_MS = 50;

async function measure(sharePercent: number, hasClients = true): Promise<string[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-job-shares-'));
  cpSync(SQUARE, path.join(folder, 'models', 'square'), { recursive: true });
  const server = await startServer({
    ...{ MODELS_DIR: path.join(folder, 'models'), JOBS_DIR: path.join(folder, 'jobs'), LANES: '1', PROBE_PORT: '0' },
    JOB_SHARE_PERCENT: String(sharePercent),
    MODEL_OPTIONS: JSON.stringify({ square: { batching: { maxItems: MAX_ITEMS }, simulate: { runMs: RUN_MS } } }),
  });
  try {
    await postJobs(server, Math.ceil(1.5 * MOST_A_SECOND * (SECONDS + 10)));
    const payload = makePayload({ name: 'square', inputs: INPUTS }, 'oip-json');
    const load = { kind: 'closed-loop', port: server.port, seconds: SECONDS, connections: CONNECTIONS } as const;
    const before = await jobsServed(server);
    const startMs = performance.now();
    const stop = new AbortController();
    const probing = probe(server.probePort ?? server.port, stop.signal);
    const clients = hasClients ? await closedLoopByWrk({ ...load, payload }) : undefined;
    if (!hasClients) await sleep(SECONDS * 1000);
    const seconds = (performance.now() - startMs) / 1000;
    const jobs = (await jobsServed(server)) - before;
    stop.abort();
    const probesMs = await probing;
    const jobsPerSecond = jobs / seconds;
    const clientsPerSecond = clients?.perSecond ?? 0;
    return [
      hasClients ? `${sharePercent} %` : 'no clients',
      short(jobsPerSecond),
      short(clientsPerSecond),
      `${short((100 * jobsPerSecond) / (jobsPerSecond + clientsPerSecond))} %`,
      `${short(quantile(probesMs, 0.5))} / ${short(quantile(probesMs, 0.99))}`,
      String(clients?.failures ?? 0),
    ];
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function postJobs({ port }: ServerProcess, count: number): Promise<void> {
  let left = count;
  const post = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const response = await fetch(`http://127.0.0.1:${port}/v1/jobs`, {
        method: 'POST',
        body: JSON.stringify({ url: '/predict/square', body: { data: left } }),
      });
      await response.arrayBuffer();
      if (response.status !== 202) throw new Error(`a job was refused with ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: POSTS_AT_ONCE }, post));
}

async function jobsServed(server: ServerProcess): Promise<number> {
  const metrics = await server.metrics();
  if (!/^carpool_stored_jobs\{status="waiting"\} [1-9]/m.test(metrics)) throw new Error('there are too few jobs');
  return Number(/^carpool_jobs_total\{source="[^"]*",outcome="answered"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
}

/** The times of health probes on new connections. */
async function probe(port: number, signal: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  while (!signal.aborted) {
    const startMs = performance.now();
    const response = await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } });
    await response.arrayBuffer();
    times.push(performance.now() - startMs);
    await sleep(PROBE_EVERY_MS);
  }
  return times.sort((one, other) => one - other);
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}

try {
  const rows = [await measure(50, false), await measure(50), await measure(25), await measure(75)];
  console.log(`${cpus()[0]?.model ?? 'a processor'}, ${availableParallelism()} cores, Node ${process.version}\n`);
  const heads = ['JOB_SHARE_PERCENT', 'jobs/s', 'answers/s', 'part of jobs', '/health p50 / p99 ms', 'failures'];
  console.log(formatTable(heads, rows));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
