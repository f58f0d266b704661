import { appendFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { randomNumbers } from '../tools/make-mlp.ts';
import { messageOf } from '../src/errors.ts';
import { type Child, startChild } from './child.ts';
import { HttpSocket, requestBytes } from './http-socket.ts';
import type { AbuseAnswer, AbuseRequest } from './memory/abuse.ts';
import { measureBodies } from './memory/bodies.ts';
import { curveTable, type Point } from './memory/curve.ts';
import { type MemoryOptions, type Part, readMemoryOptions } from './memory/options.ts';
import { type BenchModel, prepareModel } from './models.ts';
import { makePayload, type Payload } from './payload.ts';
import { readRssMib } from './process-usage.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { textOfTokens } from './tasks/workload.ts';

/** Whether memory stays, over many runs, shapes, loads and large bodies: bench/README.md. */

const POINTS = 100;
/** A line on standard error each so many points. */
const TOLD = 10;
const LOAD_WIDTHS = [768, 1024, 1024, 1024, 1024, 10];
const LONGEST_TEXT = 512;
const TEXT_CLIENTS = 8;
const SEED = 5;

const MEASURE: Readonly<Record<Part, (options: MemoryOptions) => Promise<string>>> = { runs, texts, loads, bodies };

/** One request at a time, so that every run has the same shape. */
async function runs(options: MemoryOptions): Promise<string> {
  const model = await prepareModel('language-id', []);
  const server = await serve(model, options);
  try {
    const payload = makePayload(model, 'oip-binary');
    const points = await curve(server, options.runs, { clients: 1, payloadOf: () => payload });
    return report('runs', 'runs of one shape (language-id)', points, options);
  } finally {
    await server.stop();
  }
}

/** Texts of all lengths that the model takes, several at a time: most runs have a shape of their own. */
async function texts(options: MemoryOptions): Promise<string> {
  if (options.models === undefined) return 'texts: left out, for --models names no folder with sentence-embedding';
  const name = 'sentence-embedding';
  const server = await startServer({
    MODELS_DIR: path.resolve(options.models),
    MODELS: name,
    MODEL_OPTIONS: JSON.stringify({ [name]: options.modelOptions }),
  });
  try {
    const random = randomNumbers(SEED);
    const payloadOf = (index: number): Payload => {
      const input = textOfTokens(3 + Math.floor(random() * (LONGEST_TEXT - 2)), index);
      const body = Buffer.from(JSON.stringify({ model: name, input }));
      return { path: '/v1/embeddings', headers: { 'content-type': 'application/json' }, body };
    };
    const points = await curve(server, options.texts, { clients: TEXT_CLIENTS, payloadOf });
    return report('texts', `texts of 3 to ${LONGEST_TEXT} tokens (${name})`, points, options);
  } finally {
    await server.stop();
  }
}

/** One model, loaded and unloaded in turn, with a request each time. */
async function loads(options: MemoryOptions): Promise<string> {
  const model = await prepareModel('mlp', LOAD_WIDTHS);
  const server = await serve(model, options, { MODEL_CONTROL: 'explicit' });
  const base = `http://127.0.0.1:${server.port}/v2/repository/models/${model.name}`;
  const manage = async (verb: string): Promise<void> => {
    const response = await fetch(`${base}/${verb}`, { method: 'POST' });
    if (!response.ok) throw new Error(`${verb}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  };
  const payload = makePayload(model, 'oip-binary');
  const points: Point[] = [pointOf(server, 0)];
  try {
    for (let count = 1; count <= options.loads; count++) {
      await manage('unload');
      await manage('load');
      await curve(server, 1, { clients: 1, payloadOf: () => payload });
      points.push(pointOf(server, count));
    }
    return report('loads', `loads of one model (mlp ${LOAD_WIDTHS.join('-')}, 16 MB)`, points, options);
  } finally {
    await server.stop();
    model.remove();
  }
}

async function bodies(options: MemoryOptions): Promise<string> {
  const { budgetMib } = options;
  const model = await prepareModel('language-id', []);
  const server = await serve(model, options, { BODY_BUDGET_BYTES: String(budgetMib * 2 ** 20) });
  const abuse: Child<AbuseRequest, AbuseAnswer> = startChild('./memory/abuse.js', []);
  try {
    return await measureBodies(server, abuse, options);
  } finally {
    await Promise.all([abuse.stop(), server.stop()]);
  }
}

function serve(
  { name, modelsDir }: BenchModel,
  { modelOptions }: MemoryOptions,
  environment: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  return startServer({
    MODELS_DIR: modelsDir,
    MODELS: name,
    MODEL_OPTIONS: JSON.stringify({ [name]: modelOptions }),
    ...environment,
  });
}

/** Sends requests, each client one at a time, and looks at the memory now and then. Throws a plain Error on an answer that is none. */
async function curve(
  server: ServerProcess,
  total: number,
  { clients, payloadOf }: { readonly clients: number; readonly payloadOf: (index: number) => Payload },
): Promise<Point[]> {
  const points: Point[] = [];
  const step = Math.max(1, Math.floor(total / POINTS));
  let [sent, done] = [0, 0];
  const client = async (): Promise<void> => {
    const socket = new HttpSocket(server.port);
    while (sent < total) {
      const reply = await socket.send(requestBytes(server.port, payloadOf(sent++)));
      if (reply.status !== 200) throw new Error(`answered ${reply.status}: ${reply.body.toString()}`);
      if (++done % step !== 0) continue;
      points.push(pointOf(server, done));
      if (done % (TOLD * step) === 0) console.error(`${done} of ${total} answered`);
    }
    socket.close();
  };
  await Promise.all(Array.from({ length: clients }, client));
  return points;
}

function pointOf({ pid }: ServerProcess, count: number): Point {
  return { count, mib: readRssMib(pid) ?? Number.NaN };
}

function report(part: Part, what: string, points: readonly Point[], { csv }: MemoryOptions): string {
  if (csv !== undefined)
    for (const { count, mib } of points) appendFileSync(csv, `${part},${count},${mib.toFixed(1)}\n`);
  return curveTable(what, points);
}

try {
  const options = readMemoryOptions(process.argv.slice(2));
  if (options.csv !== undefined) writeFileSync(options.csv, 'part,count,rss_mib\n');
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}, seed ${SEED}, ` +
      `MALLOC_MMAP_THRESHOLD_ ${process.env['MALLOC_MMAP_THRESHOLD_'] ?? 'unset'}\n`,
  );
  for (const part of options.parts) console.log(`${await MEASURE[part](options)}\n`);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
