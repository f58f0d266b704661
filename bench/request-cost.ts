import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { formatTable, short } from '../src/benchmark/table.ts';
import { messageOf } from '../src/errors.ts';
import type { BareAnswer, BareRequest } from './bare-http.ts';
import { type Child, startChild } from './child.ts';
import { HttpSocket, requestBytes } from './http-socket.ts';
import { prepareModel } from './models.ts';
import { positive } from './options.ts';
import { DIALECTS, makePayload, type Payload } from './payload.ts';
import { threadCpuMs } from './process-usage.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { median } from '../src/benchmark/statistics.ts';

/** What a request costs the main thread, answered or refused, beside a bare `node:http` server that reads and writes as much: bench/README.md. */

const WARM_UP_SHARE = 0.3;
/** A run longer than the benchmark, and limits that let two of them end. */
const OCCUPIED_MS = 200_000;
const LIMIT_MS = 3 * OCCUPIED_MS;

interface Scenario {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Requests sent beforehand, which stay in the queue. */
  readonly occupants: number;
  readonly payload: Payload;
}

/** Whose main thread is measured. */
interface Subject {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

interface Cost {
  readonly cpuUs: number;
  readonly perSecond: number;
}

const text = { type: 'string' } as const;
const { values: flags } = parseArgs({
  options: { connections: text, requests: text, rounds: text, only: text, base: text },
});
const connections = positive('connections', flags.connections) ?? 64;
const requests = positive('requests', flags.requests) ?? 20_000;
const rounds = positive('rounds', flags.rounds) ?? 3;

async function scenarios(): Promise<Scenario[]> {
  const model = await prepareModel('language-id', []);
  const square = await prepareModel('square', []);
  const places = 2;
  const options = {
    queue: { maxItems: places },
    batching: { maxItems: 1 },
    runLimitMs: LIMIT_MS,
    simulate: { runMs: OCCUPIED_MS },
  };
  const full = {
    MODELS_DIR: square.modelsDir,
    MODELS: square.name,
    REQUEST_TIMEOUT_MS: String(LIMIT_MS),
    DRAIN_GRACE_MS: '0',
    MODEL_OPTIONS: JSON.stringify({ [square.name]: options }),
  };
  const one = makePayload(square, 'oip-json');
  const tensor = { name: 'x', datatype: 'FP64', shape: [places], data: [1, 2] };
  const two = { ...one, body: Buffer.from(JSON.stringify({ inputs: [tensor] })) };
  const answered = DIALECTS.map((dialect) => ({
    name: `${model.name} ${dialect}`,
    environment: { MODELS_DIR: model.modelsDir, MODELS: model.name },
    occupants: 0,
    payload: makePayload(model, dialect),
  }));
  return [
    ...answered,
    {
      name: 'refused for its key',
      environment: { MODELS_DIR: square.modelsDir, MODELS: square.name, API_KEY: 'right' },
      occupants: 0,
      payload: { ...one, headers: { ...one.headers, 'X-API-Key': 'wrong' } },
    },
    { name: 'refused before the body', environment: full, occupants: places, payload: one },
    // One place is left, so that only the body tells that there is no room.
    { name: 'refused after the body', environment: full, occupants: places - 1, payload: two },
  ];
}

async function measure(scenario: Scenario): Promise<void> {
  const { environment } = scenario;
  const servers: ServerProcess[] = [await startServer(environment)];
  const bare = startChild<BareRequest, BareAnswer>('./bare-http.js', []);
  const occupying: HttpSocket[] = [];
  try {
    if (flags.base !== undefined) servers.push(await startServer(environment, path.resolve(flags.base)));
    for (const server of servers) occupying.push(...(await occupy(server.port, scenario)));
    const subjects = await subjectsOf(scenario, servers, bare);
    for (const subject of subjects) await load(subject, scenario, Math.ceil(requests * WARM_UP_SHARE));
    const costs = new Map(subjects.map((subject): [Subject, Cost[]] => [subject, []]));
    for (let round = 0; round < rounds; round++)
      for (const [subject, all] of costs) all.push(await load(subject, scenario, requests));
    print(scenario, costs);
  } finally {
    for (const socket of occupying) socket.close();
    await Promise.all([bare.stop(), ...servers.map((server) => server.stop())]);
  }
}

async function subjectsOf(
  { payload }: Scenario,
  servers: readonly ServerProcess[],
  bare: Child<BareRequest, BareAnswer>,
): Promise<Subject[]> {
  const [ours] = servers;
  if (ours === undefined) return [];
  const socket = new HttpSocket(ours.port);
  const { status, body } = await socket.send(requestBytes(ours.port, payload));
  socket.close();
  const { port, pid } = await bare.ask({ status, bytes: body.byteLength });
  return [
    { name: `bare, ${status}, ${payload.body.byteLength} -> ${body.byteLength} bytes`, port, pid },
    ...servers.map((server, index) => ({ name: index === 0 ? 'ours' : 'base', port: server.port, pid: server.pid })),
  ];
}

async function occupy(port: number, { occupants, payload }: Scenario): Promise<HttpSocket[]> {
  const sockets = Array.from({ length: occupants }, () => new HttpSocket(port));
  const { path: target, headers } = payload;
  const body = Buffer.from(JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP64', shape: [1], data: [1] }] }));
  for (const socket of sockets) {
    await socket.connect();
    void socket.send(requestBytes(port, { path: target, headers, body }));
    // Until they are in the queue.
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return sockets;
}

/** As many requests, on all connections, each at once after the last. */
async function load({ port, pid }: Subject, { payload }: Scenario, count: number): Promise<Cost> {
  const bytes = requestBytes(port, payload);
  const sockets = Array.from({ length: connections }, () => new HttpSocket(port));
  for (const socket of sockets) await socket.connect();
  let left = count;
  const statuses = new Set<number>();
  const beforeMs = threadCpuMs(pid, pid) ?? Number.NaN;
  const startMs = performance.now();
  await Promise.all(
    sockets.map(async (socket) => {
      while (left-- > 0) statuses.add((await socket.send(bytes)).status);
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  const cpuMs = (threadCpuMs(pid, pid) ?? Number.NaN) - beforeMs;
  for (const socket of sockets) socket.close();
  if (statuses.size > 1) throw new Error(`answers differ: ${[...statuses].join(', ')}`);
  return { cpuUs: (cpuMs * 1000) / count, perSecond: count / seconds };
}

function print({ name }: Scenario, costs: ReadonlyMap<Subject, readonly Cost[]>): void {
  const rows = [...costs].map(([subject, all]) => [
    subject.name,
    short(median(all.map(({ cpuUs }) => cpuUs))),
    all.map(({ cpuUs }) => short(cpuUs)).join(', '),
    short(median(all.map(({ perSecond }) => perSecond))),
  ]);
  console.log(`${formatTable([name, 'us of the main thread', 'rounds', 'requests/s'], rows)}\n`);
}

try {
  console.log(
    `${connections} connections, ${rounds} rounds of ${requests} requests\n` +
      `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}\n`,
  );
  for (const scenario of await scenarios()) if (scenario.name.includes(flags.only ?? '')) await measure(scenario);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
