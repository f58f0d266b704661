import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { formatTable, short } from '../src/benchmark/table.ts';
import { startChild } from './child.ts';
import { probeHealth } from './health-probe.ts';
import type { OpenLoopAnswer } from './load-client.ts';
import { prepareModel } from './models.ts';
import { type BenchOptions, readOptions } from './options.ts';
import { makePayload } from './payload.ts';
import { findPeak, type LoadChild } from './peak.ts';
import { watchMemory } from './process-usage.ts';
import { judgeRetryAfter } from './retry-truth.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { median, percentileOf } from '../src/benchmark/statistics.ts';
import { growth } from './statistics.ts';
import { messageOf } from '../src/errors.ts';

/** What becomes of a server that is offered many times what it can do: bench/README.md. */

const PEAK = { connections: [32, 64, 128], seconds: 6 };
/** Room for a full queue and for the refusals under way. */
const OVERLOAD_CONNECTIONS = 1000;

/**
 * Refusals cost the server and this client processor time that the model needs too. Where all share a few cores, only a model that is
 * slow against a request can be offered ten times its capacity; so this one is wide, and its batches are kept small.
 */
const DEFAULTS: Partial<BenchOptions> = {
  widths: [768, 4096, 4096, 4096, 4096, 4096, 10],
  dialect: 'oip-binary',
  seconds: 20,
  modelOptions: { batching: { maxItems: 4 } },
};

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), DEFAULTS);
  const model = await prepareModel(options.model, options.widths);
  const client: LoadChild = startChild('./load-client.js', []);
  let server: ServerProcess | undefined;
  try {
    server = await startServer({
      MODELS_DIR: model.modelsDir,
      MODELS: model.name,
      DEFAULT_MODEL: model.name,
      MODEL_OPTIONS: JSON.stringify({ [model.name]: options.modelOptions }),
    });
    const target = { port: server.port, payload: makePayload(model, options.dialect) };
    const before = await findPeak(client, target, PEAK);
    const perSecond = Math.round(before.perSecond * options.times);
    printHead(options, { peak: before.perSecond, perSecond, lanes: await server.lanes() });
    const { pid } = server;
    const memory = watchMemory(() => [pid]);
    const probe = probeHealth(server.port);
    const answer = (await client.ask({
      kind: 'open-loop',
      ...target,
      seconds: options.seconds,
      perSecond,
      connections: OVERLOAD_CONNECTIONS,
    })) as OpenLoopAnswer;
    const health = await probe.stop();
    const rss = memory.stop();
    // A shared machine drifts: what it can do is what it could before and can after, on average.
    const after = await findPeak(client, target, { ...PEAK, connections: [before.connections] });
    printResult({
      answer,
      peaks: [before.perSecond, after.perSecond],
      rss,
      seconds: options.seconds,
      healthMs: health.latenciesMs,
      healthFailures: health.failures,
    });
  } finally {
    await Promise.all([client.stop(), server?.stop()]);
    model.remove();
  }
}

function printHead(
  options: BenchOptions,
  { peak, perSecond, lanes }: { peak: number; perSecond: number; lanes: string },
): void {
  const model = options.model === 'mlp' ? `mlp ${options.widths.join('-')}` : options.model;
  console.log(
    `${model}, ${options.dialect}; peak ${short(peak)} replies/s, offered ${perSecond}/s for ${options.seconds} s\n` +
      `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}\n` +
      `lanes: ${lanes}\n`,
  );
}

interface Result {
  readonly answer: OpenLoopAnswer;
  /** Replies a second before and after. */
  readonly peaks: readonly [number, number];
  readonly seconds: number;
  readonly rss: readonly number[];
  readonly healthMs: readonly number[];
  readonly healthFailures: number;
}

function printResult({ answer, peaks, seconds, rss, healthMs, healthFailures }: Result): void {
  const { admitted, refused, others } = answer;
  // What was admitted in time but answered after the end belongs to the queue, not to the rate.
  const inTime = admitted.dueMs.reduce(
    (count, dueMs, index) => count + (dueMs + (admitted.latencyMs[index] ?? 0) <= seconds * 1000 ? 1 : 0),
    0,
  );
  const total =
    admitted.dueMs.length + refused.dueMs.length + [...others.values()].reduce((sum, count) => sum + count, 0);
  const serverErrors = [...others].reduce((sum, [status, count]) => sum + (status >= 500 ? count : 0), 0);
  const truth = judgeRetryAfter(admitted, refused);
  const rows = [
    ['answered requests', String(total)],
    ['goodput, replies/s', short(inTime / seconds)],
    ['peak before / after, replies/s', peaks.map(short).join(' / ')],
    ['goodput / mean of both peaks', short(inTime / seconds / ((peaks[0] + peaks[1]) / 2))],
    [
      'latency of 200, p50 / p99 ms',
      `${short(median(admitted.latencyMs))} / ${short(percentileOf(admitted.latencyMs, 99))}`,
    ],
    ['share answered 429', short(refused.dueMs.length / total)],
    [
      'latency of 429, p50 / p99 ms',
      `${short(median(refused.latencyMs))} / ${short(percentileOf(refused.latencyMs, 99))}`,
    ],
    ['429 that told a time', short(truth.told)],
    ['told time / real time of the queue, median', short(truth.medianRatio)],
    ['told times true within a factor of two', short(truth.withinTwo)],
    ['5xx', String(serverErrors)],
    [
      'other statuses (0: broken connection)',
      [...others].map(([status, count]) => `${status}: ${count}`).join(', ') || 'none',
    ],
    ['arrivals the client dropped', String(answer.dropped)],
    ['/health p50 / p99 ms', `${short(percentileOf(healthMs, 50))} / ${short(percentileOf(healthMs, 99))}`],
    ['/health not 200', String(healthFailures)],
    ['memory at the end, MiB', short(rss.at(-1) ?? Number.NaN)],
    ['memory growth, second to last quarter', short(growth(rss))],
  ];
  console.log(formatTable(['', 'value'], rows));
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
