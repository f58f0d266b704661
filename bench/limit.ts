import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { formatTable, short } from '../load-tests/runner/table.ts';
import { rawSeconds, readScrape, sizesRun, weightySizes } from './batch-runs.ts';
import { type Child, startChild } from './child.ts';
import { probeHealth } from './health-probe.ts';
import type { ClosedLoopAnswer, ClosedLoopRequest, LoneAnswer, LoneRequest } from './load-client.ts';
import { prepareModel } from './models.ts';
import { type BenchOptions, readOptions } from './options.ts';
import { makePayload, type Payload } from './payload.ts';
import type { RawAnswer, RawRequest } from './raw-loop.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { median, percentileOf } from './statistics.ts';
import { messageOf } from '../src/errors.ts';

/** How near the server comes to the bare loop of onnxruntime-node on the same model, in the same run: bench/README.md. */

const BASE_SIZES = [1, 8, 32, 64];
/** Sizes that carry less of the items than this are read off between measured ones. */
const WEIGHTY_SHARE = 0.05;
const WARM_UP_SECONDS = 2;

type RawChild = Child<RawRequest, RawAnswer>;
type LoadChild = Child<ClosedLoopRequest | LoneRequest, ClosedLoopAnswer | LoneAnswer>;

interface Bench {
  readonly options: BenchOptions;
  readonly payload: Payload;
  readonly server: ServerProcess;
  readonly raw: RawChild;
  readonly client: LoadChild;
  /** Mean time of a run by batch size, one entry a round. */
  readonly rawMs: Map<number, number[]>;
}

interface Round {
  readonly served: ClosedLoopAnswer;
  readonly meanBatch: number;
  readonly rawLimit: number;
  readonly healthMs: readonly number[];
  readonly healthFailures: number;
  readonly loneMs: number;
  readonly bareMs: number;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const model = prepareModel(options.model, options.widths);
  const raw: RawChild = startChild('./raw-loop.js', [model.file, String(options.threads)]);
  const client: LoadChild = startChild('./load-client.js', []);
  let server: ServerProcess | undefined;
  try {
    server = await startServer({
      MODELS_DIR: model.modelsDir,
      MODELS: model.name,
      DEFAULT_MODEL: model.name,
      MODEL_OPTIONS: JSON.stringify({ [model.name]: options.modelOptions }),
    });
    const bench = { options, payload: makePayload(model, options.dialect), server, raw, client, rawMs: new Map() };
    printHead(options, await server.lanes());
    const rounds: Round[] = [];
    await load(bench, WARM_UP_SECONDS);
    for (let round = 0; round < options.rounds; round++) rounds.push(await runRound(bench));
    printRaw(bench);
    printRounds(rounds);
  } finally {
    await Promise.all([raw.stop(), client.stop(), server?.stop()]);
    model.remove();
  }
}

/** Served, then the bare loop at the sizes that were run, then one request at a time, then the bare loop at 1. */
async function runRound(bench: Bench): Promise<Round> {
  const { server, options } = bench;
  const before = readScrape(await server.metrics(), options.model);
  const probe = probeHealth(server.port);
  const served = await load(bench, options.seconds);
  const health = await probe.stop();
  const after = readScrape(await server.metrics(), options.model);
  const sizes = sizesRun(before, after);
  const measured = new Map<number, number>();
  const wanted = [...new Set([...BASE_SIZES, ...weightySizes(sizes, WEIGHTY_SHARE)])];
  for (const batch of wanted) {
    const { meanMs } = await bench.raw.ask({ batch, durationMs: (options.seconds * 1000) / wanted.length });
    measured.set(batch, meanMs);
    bench.rawMs.set(batch, [...(bench.rawMs.get(batch) ?? []), meanMs]);
  }
  const items = after.items - before.items;
  const loneSeconds = Math.min(options.seconds, 4);
  const lone = await ask<LoneAnswer>(bench, { kind: 'lone', ...target(bench, loneSeconds) });
  const bare = await bench.raw.ask({ batch: 1, durationMs: loneSeconds * 1000 });
  return {
    served,
    meanBatch: items / (after.runs - before.runs),
    rawLimit: items / rawSeconds(sizes, measured),
    healthMs: health.latenciesMs,
    healthFailures: health.failures,
    loneMs: lone.medianMs,
    bareMs: bare.medianMs,
  };
}

function load(bench: Bench, seconds: number): Promise<ClosedLoopAnswer> {
  return ask(bench, { kind: 'closed-loop', connections: bench.options.connections, ...target(bench, seconds) });
}

function target(bench: Bench, seconds: number): { port: number; payload: Payload; seconds: number } {
  return { port: bench.server.port, payload: bench.payload, seconds };
}

/** The client answers each kind of request with its own kind of answer. */
async function ask<Answer extends ClosedLoopAnswer | LoneAnswer>(
  bench: Bench,
  request: ClosedLoopRequest | LoneRequest,
): Promise<Answer> {
  return (await bench.client.ask(request)) as Answer;
}

function printHead(options: BenchOptions, lanes: string): void {
  const model = options.model === 'mlp' ? `mlp ${options.widths.join('-')}` : options.model;
  console.log(
    `${model}, ${options.dialect}, ${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s\n` +
      `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}\n` +
      `lanes: ${lanes}\n`,
  );
}

function printRaw({ rawMs, options }: Bench): void {
  const rows = [...rawMs]
    .sort(([left], [right]) => left - right)
    .map(([batch, times]) => [String(batch), short(median(times)), short((batch * 1000) / median(times))]);
  console.log(`Bare loop, ${options.threads} intra-op thread(s):`);
  console.log(`${formatTable(['batch', 'ms a run', 'items/s'], rows)}\n`);
}

function printRounds(rounds: readonly Round[]): void {
  const columns: readonly [string, (round: Round) => number][] = [
    ['served items/s', (round) => round.served.perSecond],
    ['mean batch', (round) => round.meanBatch],
    ['bare loop at those sizes', (round) => round.rawLimit],
    ['ratio', (round) => round.served.perSecond / round.rawLimit],
    ['p50 ms', (round) => round.served.p50Ms],
    ['p99 ms', (round) => round.served.p99Ms],
    ['/health p50 ms', (round) => percentileOf(round.healthMs, 50)],
    ['/health p99 ms', (round) => percentileOf(round.healthMs, 99)],
    ['failures', (round) => round.served.failures + round.healthFailures],
    ['lone request p50 ms', (round) => round.loneMs],
    ['bare run p50 ms', (round) => round.bareMs],
    ['difference ms', (round) => round.loneMs - round.bareMs],
  ];
  const head = ['', 'median', ...rounds.map((_, index) => `round ${index + 1}`)];
  const rows = columns.map(([title, value]) => {
    const values = rounds.map(value);
    return [title, short(median(values)), ...values.map(short)];
  });
  console.log(formatTable(head, rows));
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
