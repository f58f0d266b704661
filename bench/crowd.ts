import { appendFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { formatTable } from '../src/benchmark/table.ts';
import { messageOf } from '../src/errors.ts';
import { meanBatch } from './batch-runs.ts';
import { startChild } from './child.ts';
import type { CrowdAnswer } from './crowd/load.ts';
import { type CrowdOptions, readCrowdOptions } from './crowd/options.ts';
import { columnOf, CSV_HEAD, csvLines, type Outcome, ROWS } from './crowd/outcome.ts';
import { probeHealth } from './health-probe.ts';
import type { LoneAnswer } from './load-client.ts';
import { prepareModel } from './models.ts';
import { makePayload } from './payload.ts';
import { findPeak, type LoadChild } from './peak.ts';
import { acceptQueue, cpuSeconds, watchMemory } from './process-usage.ts';
import { type Side, startOurs, startPeer } from './sides.ts';

/** What a crowd of clients that wait for nothing, not even for a connection, leaves of a server: bench/README.md. */

const PEAK = { connections: [64, 128], seconds: 4 };
const LONE_SECONDS = 1;
const REQUEST_TIMEOUT_MS = 5000;
const QUEUE_INTERVAL_MS = 50;

async function main(): Promise<void> {
  const options = readCrowdOptions(process.argv.slice(2));
  const model = await prepareModel(options.model, options.widths);
  const client: LoadChild = startChild('./load-client.js', []);
  const sides: Side[] = [];
  try {
    if (!options.isPeerOnly) sides.push(await startOurs(model, { ...options, environment: { PROBE_PORT: '0' } }));
    const payload = makePayload(model, options.dialect);
    if (options.peer !== undefined) sides.push(await startPeer(options.peer, { payload, modelFile: model.file }));
    printHead(options);
    if (options.csv !== undefined) writeFileSync(options.csv, CSV_HEAD);
    const columns: [string, string[]][] = [];
    for (let round = 1; round <= options.rounds; round++)
      for (const side of sides) {
        const outcome = await measure(client, side, options);
        columns.push([`${side.name}, ${round}`, columnOf(outcome)]);
        if (options.csv !== undefined) appendFileSync(options.csv, csvLines(outcome, round));
      }
    const head = ['', ...columns.map(([title]) => title)];
    console.log(
      formatTable(
        head,
        ROWS.map((row, index) => [row, ...columns.map(([, cells]) => cells[index] ?? '')]),
      ),
    );
  } finally {
    await Promise.all([client.stop(), ...sides.map((side) => side.stop())]);
    model.remove();
  }
}

async function measure(client: LoadChild, side: Side, options: CrowdOptions): Promise<Outcome> {
  const { target } = side;
  const peak = await findPeak(client, target, PEAK);
  const lone = async (): Promise<number> => {
    const answer = (await client.ask({ kind: 'lone', ...target, seconds: LONE_SECONDS })) as LoneAnswer;
    return answer.medianMs;
  };
  const before = await lone();
  const perSecond = options.rate ?? Math.round(peak.perSecond * options.times);
  const runsBefore = await side.runs();
  const watch = watchSide(side);
  const crowd = (await client.ask({
    kind: 'crowd',
    ...target,
    seconds: options.seconds,
    perSecond,
    most: options.most,
    timeoutMs: REQUEST_TIMEOUT_MS,
    isEachNew: options.isEachNew,
  })) as CrowdAnswer;
  const seen = await watch.stop();
  const runsAfter = await side.runs();
  return {
    name: side.name,
    seconds: options.seconds,
    peakPerSecond: peak.perSecond,
    offeredPerSecond: perSecond,
    crowd,
    ...seen,
    meanBatch: runsBefore && runsAfter && meanBatch(runsBefore, runsAfter),
    loneMs: { before, after: await lone() },
  };
}

type Seen = Pick<
  Outcome,
  'health' | 'probePort' | 'rss' | 'acceptQueue' | 'cores' | 'mainThreadCores' | 'mainThreadSeconds'
>;

/** Probes and watches a server until stopped. */
function watchSide({ target, healthPath, probePort, pid, pids }: Side): { stop(): Promise<Seen> } {
  const { host, port } = target;
  const mainThread = (): number | undefined => (pid === undefined ? undefined : cpuSeconds([pid], pid));
  const startMs = performance.now();
  const started = { all: cpuSeconds(pids()), main: mainThread() };
  const memory = watchMemory(pids);
  const probe = probeHealth(port, { ...(host === undefined ? {} : { host }), path: healthPath, isEachNew: true });
  const probeAside = probePort === undefined ? undefined : probeHealth(probePort, { isEachNew: true });
  const queue: number[] = [];
  const timer = setInterval(() => queue.push(...[acceptQueue(port) ?? []].flat()), QUEUE_INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      const seconds = (performance.now() - startMs) / 1000;
      const spent = (from: number | undefined, to: number | undefined): number | undefined =>
        from === undefined || to === undefined ? undefined : to - from;
      const all = spent(started.all, cpuSeconds(pids()));
      const mainThreadSeconds = spent(started.main, mainThread());
      const used = {
        cores: all === undefined ? undefined : all / seconds,
        mainThreadCores: mainThreadSeconds === undefined ? undefined : mainThreadSeconds / seconds,
        mainThreadSeconds,
      };
      return {
        health: await probe.stop(),
        probePort: await probeAside?.stop(),
        rss: memory.stop(),
        acceptQueue: queue,
        ...used,
      };
    },
  };
}

function printHead({ model, widths, dialect, seconds, times, rate, isEachNew }: CrowdOptions): void {
  console.log(
    `${model === 'mlp' ? `mlp ${widths.join('-')}` : model}, ${dialect}; ` +
      `${rate === undefined ? `${times} times the peak` : `${rate} requests/s`} for ${seconds} s, ` +
      `${isEachNew ? 'a connection for each request' : 'a new connection where none is idle'}\n` +
      `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}\n`,
  );
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
