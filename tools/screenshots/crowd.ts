import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Frame, Histogram, ModelNumbers, ModelRow, Run, Welcome } from '../../web/live/protocol.ts';
import { BOUNDS } from '../../src/metrics.ts';

/** A server that has more of everything than one here could have: what it tells the page is made up. */

const MODELS = 50;
const LANES = 16;
const JOBS = 1000;
const EVERY_MS = 250;
const RUN_MS = 180;
const STATES: readonly ModelRow['state'][] = [
  'ready',
  'ready',
  'ready',
  'asleep',
  'loading',
  'unloading',
  'unavailable',
];

const nameOf = (index: number): string =>
  index === 0 ? 'a-name-of-two-hundred-characters-'.padEnd(200, 'long-') : `model-${index}`;

function rowOf(index: number): ModelRow {
  const state = index < 4 ? 'ready' : (STATES[index % STATES.length] ?? 'ready');
  const reason =
    state === 'unavailable' ? `model.json: batching.maxItems: a number is needed (${'x'.repeat(120)})` : '';
  return {
    ...{ name: nameOf(index), version: String(1 + (index % 3)), state, reason, task: 'text-classification' },
    ...(state === 'ready' ? { devices: ['cuda:0', 'cuda:1'], lanes: LANES, maxItems: 64 } : {}),
    ...(state === 'ready' || state === 'asleep' ? { fileBytes: 2 ** (index % 36) * 3 } : {}),
  };
}

function histogram(count: number, value: number, bounds: readonly number[]): Histogram {
  const range = bounds.findIndex((bound) => value <= bound);
  return { count, sum: count * value, ranges: [...bounds, Infinity].map((_, index) => (index === range ? count : 0)) };
}

function numbersOf(count: number): ModelNumbers {
  return {
    ...{ waiting: count % 300, running: 16, permits: 200, permitsLimit: 4096, predictedWaitS: 1.2345 },
    ...{ requests: { 200: 8 * count, 429: count, 500: Math.floor(count / 9), 499: 1 } },
    ...{ rejects: { QUEUE_FULL: count, WAIT_TOO_LONG: Math.floor(count / 3) }, left: { cancelled: 3, late: count } },
    ...{ cuts: { items: count, empty: count, time: 2 }, work: { tokens: 900 * count, audio_seconds: count } },
    request: histogram(8 * count, 0.3, BOUNDS.seconds),
    wait: histogram(8 * count, 0.2, BOUNDS.seconds),
    run: histogram(count, 0.1, BOUNDS.seconds),
    batch: histogram(count, 24, BOUNDS.items),
  };
}

function runsUntil(turn: number, atMs: number): Run[] {
  return Array.from({ length: LANES }, (_, lane) => {
    const id = turn * LANES + lane;
    const items = 1 + (id % 24);
    return {
      ...{ id, lane, model: nameOf(id % 20), startMs: atMs - RUN_MS - lane, ms: RUN_MS, items, steps: 1 },
      ...{ cut: 'items', riders: [[`request-${id}-${'y'.repeat(100)}`, 40, items] as const], unnamed: id % 3 },
      ...(id % 40 === 7 ? { error: 'LANE_LOST' } : {}),
    };
  });
}

function frameOf(turn: number): Frame {
  const atMs = 1000 + turn * EVERY_MS;
  return {
    ...{ atMs, phase: 'ready', why: '' },
    process: { residentBytes: 9e10, heapBytes: 3e9, cpuS: turn, connections: 12_345, delayP99Ms: 12, delayMaxMs: 340 },
    lanes: Array.from({ length: LANES }, (_, lane) => ({
      ...{ lane, device: `cuda:${lane % 2}`, up: lane !== 5, busyS: (turn * EVERY_MS * lane) / LANES / 1000 },
    })),
    jobs: {
      held: { jobs: 20 },
      ended: { completed: 700, failed: 30 },
      stored: stored(turn),
      batches: { in_progress: 1 },
    },
    models: Array.from({ length: MODELS }, (_, index) => rowOf(index)),
    numbers: Object.fromEntries([0, 1, 2, 3].map((index) => [nameOf(index), numbersOf(5 * turn * (index + 1))])),
    ...{ runs: runsUntil(turn, atMs), missedRuns: 3 },
  };
}

function stored(turn: number): Record<string, number> {
  const completed = Math.min(600, turn);
  return { waiting: JOBS - 50 - completed, running: 20, completed, failed: 30 };
}

/** Answers as the server would, as far as the dashboard asks. `parts`: a real server, whose page this is. */
export async function startCrowd(parts: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://crowd').pathname;
    if (path === '/live') streamTo(response);
    else if (path === '/v1/jobs') sendJson(response, jobs());
    else if (path === '/v1/batches') sendJson(response, batches());
    else forward(parts + path, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What the page is made of comes from the real server, each part on a connection of its own: kept ones end when they have been idle. */
function forward(url: string, { headers }: IncomingMessage, response: ServerResponse): void {
  const { accept = '*/*' } = headers;
  get(url, { agent: false, headers: { accept } }, (part) => {
    response.writeHead(part.statusCode ?? 502, part.headers);
    part.pipe(response);
  }).on('error', () => response.writeHead(502).end());
}

function streamTo(response: ServerResponse): void {
  let turn = 0;
  const send = (name: string, data: Welcome | Frame): void =>
    void response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const about = {
    version: '0.0.0',
    instance: 'crowd',
    everyMs: EVERY_MS,
    bounds: BOUNDS,
    manages: true,
    listsJobs: true,
  };
  send('welcome', { ...about, wallMs: Date.now() - 3e8, frame: { ...frameOf(turn), atMs: 1000 } });
  const timer = setInterval(() => send('frame', frameOf(++turn)), EVERY_MS);
  response.on('close', () => clearInterval(timer));
}

function sendJson(response: ServerResponse, data: readonly object[]): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ object: 'list', data }));
}

function jobs(): object[] {
  const nowS = Math.floor((Date.now() - 3e8) / 1000);
  return ['waiting', 'running', 'completed', 'failed', 'cancelled'].map((status, index) => ({
    ...{ id: `job-${'z'.repeat(60)}-${index}`, status, attempts: index, created_at: nowS - 60 * index },
    ...{ custom_id: index === 0 ? null : `number ${index} ${'w'.repeat(150)}`, ended_at: index > 1 ? nowS : null },
  }));
}

function batches(): object[] {
  const counts = { total: 50_000, completed: 12_000, failed: 7 };
  return [{ id: `batch_${'q'.repeat(40)}`, status: 'in_progress', endpoint: '/v1/embeddings', request_counts: counts }];
}
