import { appendFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';
import process from 'node:process';
import { short } from '../src/benchmark/table.ts';
import { messageOf } from '../src/errors.ts';
import { type Child, startChild } from './child.ts';
import { goalsTable } from './limit/goals.ts';
import { measureLoop, measureSide } from './limit/measure.ts';
import { LIMIT_MODELS, type LimitModel, type LimitOptions, readLimitOptions } from './limit/options.ts';
import type { Sample } from './limit/samples.ts';
import { startSides } from './limit/sides.ts';
import { CSV_HEAD, csvLine, limitTable, pageLines } from './limit/table.ts';
import { prepareModel } from './models.ts';
import type { LoadChild } from './peak.ts';
import type { RawAnswer, RawRequest } from './raw-loop.ts';
import type { Side } from './sides.ts';
import { wrkVersion } from './wrk.ts';

/** How near the server comes to the bare runtime, to bare HTTP and to others, in the same run: bench/README.md. */

const WARM_UP = { connections: 64, seconds: 1, round: 0 };
/** Starting the servers of a model, roughly. */
const START_SECONDS = 10;

async function main(): Promise<void> {
  const options = readLimitOptions(process.argv.slice(2));
  const version = wrkVersion();
  const tool = options.client ?? (version === undefined ? 'autocannon' : 'wrk');
  printHead(options, tool === 'wrk' ? (version ?? 'wrk') : 'autocannon');
  if (options.csv !== undefined) writeFileSync(options.csv, CSV_HEAD);
  const client: LoadChild = startChild('./load-client.js', []);
  try {
    for (const model of options.models) await measureModel(model, options, { client, tool });
  } finally {
    await client.stop();
  }
}

interface Client {
  readonly client: LoadChild;
  readonly tool: 'wrk' | 'autocannon';
}

async function measureModel(name: LimitModel, options: LimitOptions, { client, tool }: Client): Promise<void> {
  const { model: modelName, widths } = LIMIT_MODELS[name];
  const model = await prepareModel(modelName, widths);
  const loop: Child<RawRequest, RawAnswer> = startChild('./raw-loop.js', [
    model.file,
    String(options.threads),
    JSON.stringify(model.inputs),
  ]);
  const started: Side[] = [];
  const samples: Sample[] = [];
  try {
    const sides = await startSides(model, options, started);
    for (const side of sides) await measureSide(client, side, { ...WARM_UP, tool });
    for (let round = 1; round <= options.rounds; round++)
      for (const connections of options.connections) {
        const cell = { connections, round, seconds: options.seconds };
        const add = (sample: Sample): void => {
          samples.push(sample);
          if (options.csv !== undefined) appendFileSync(options.csv, csvLine(name, sample));
        };
        add(await measureLoop(loop, cell, model.maxItems));
        for (const side of sides) add(await measureSide(client, side, { ...cell, tool }));
      }
    console.log(`${name}: ${[modelName, ...widths].join('-')}, bare loop at the batch that the connections fill`);
    console.log(
      [limitTable(samples), goalsTable(name, samples), ...pageLines(samples)].map((table) => `${table}\n`).join('\n'),
    );
  } finally {
    await Promise.all([loop.stop(), ...started.map((side) => side.stop())]);
    model.remove();
  }
}

function printHead(options: LimitOptions, client: string): void {
  const { models, sides, dialects, lanes, connections, seconds, rounds, peers, base } = options;
  const servers =
    (sides.includes('ours')
      ? dialects.length * lanes.length * (base === undefined ? 1 : 2) * (options.page ? 2 : 1)
      : 0) +
    (sides.includes('http') ? dialects.length : 0) +
    (sides.includes('express') ? 1 : 0) +
    peers.length;
  const measured = (servers + 1) * connections.length * rounds * seconds;
  const minutes = (models.length * (measured + servers * WARM_UP.seconds + START_SECONDS)) / 60;
  const versions = ['onnxruntime-node', 'express', 'autocannon'].map((name) => `${name} ${versionOf(name)}`);
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${short(totalmem() / 2 ** 30)} GiB, ` +
      `${process.platform} ${process.arch}\nNode ${process.version}, ${versions.join(', ')}; client: ${client}, one thread\n` +
      `${models.join(', ')}: ${servers} servers and the bare loop (${options.threads} thread) at ${connections.join(', ')} connections, ` +
      `${rounds} rounds of ${seconds} s, seed 2; about ${Math.ceil(minutes)} minutes\n`,
  );
}

/** express and autocannon do not export their package.json by name in every version; require reads the file. */
function versionOf(name: string): string {
  const { version } = createRequire(import.meta.url)(`${name}/package.json`) as { version: string };
  return version;
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
