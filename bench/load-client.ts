import autocannon from 'autocannon';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ascending, percentile } from '../src/benchmark/statistics.ts';
import { answerMessages } from './child.ts';
import { crowd, type CrowdAnswer, type CrowdRequest } from './crowd/load.ts';
import { HttpSocket, requestBytes } from './http-socket.ts';
import type { Target } from './payload.ts';
import { closedLoopByWrk } from './wrk.ts';

/** A process that loads a server, so that its work does not delay the probes and clocks of the benchmark. */

const CONNECTS_AT_ONCE = 32;

interface Load extends Target {
  readonly seconds: number;
}
/** As many requests at a time as there are connections, each at once after the last. */
export interface ClosedLoopRequest extends Load {
  readonly kind: 'closed-loop';
  readonly connections: number;
  /** Without it autocannon, in this process. */
  readonly tool?: 'autocannon' | 'wrk';
}
/** One request at a time. */
export interface LoneRequest extends Load {
  readonly kind: 'lone';
}
/** Requests at a constant rate, whatever the server does. */
export interface OpenLoopRequest extends Load {
  readonly kind: 'open-loop';
  readonly perSecond: number;
  /** Opened beforehand; an arrival that finds all of them busy is dropped and counted. */
  readonly connections: number;
}
export type LoadRequest = ClosedLoopRequest | LoneRequest | OpenLoopRequest | CrowdRequest;

export interface ClosedLoopAnswer {
  /** Answered with 2xx. */
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: number;
  /** Processor time of the client. */
  readonly cpuSeconds: number;
}
export interface LoneAnswer {
  readonly medianMs: number;
  readonly requests: number;
  readonly failures: number;
}
/** Times are milliseconds from the start of the load; latencies count from the time a request was due. */
export interface OpenLoopAnswer {
  readonly admitted: { readonly dueMs: Float64Array; readonly latencyMs: Float64Array };
  readonly refused: {
    readonly dueMs: Float64Array;
    readonly latencyMs: Float64Array;
    /** NaN: the refusal did not say. */
    readonly retryAfterMs: Float64Array;
  };
  /** Replies by any other status; 0: the connection broke. */
  readonly others: ReadonlyMap<number, number>;
  readonly dropped: number;
}
export type LoadAnswer = ClosedLoopAnswer | LoneAnswer | OpenLoopAnswer | CrowdAnswer;

answerMessages((request: LoadRequest): Promise<LoadAnswer> => {
  switch (request.kind) {
    case 'closed-loop':
      return request.tool === 'wrk' ? closedLoopByWrk(request) : closedLoop(request);
    case 'lone':
      return lone(request);
    case 'open-loop':
      return openLoop(request);
    case 'crowd':
      return crowd(request);
  }
});

async function closedLoop({ host, port, payload, seconds, connections }: ClosedLoopRequest): Promise<ClosedLoopAnswer> {
  const cpuBefore = process.cpuUsage();
  const result = await autocannon({
    url: `http://${host ?? '127.0.0.1'}:${port}${payload.path}`,
    connections,
    duration: seconds,
    method: 'POST',
    headers: payload.headers,
    body: Buffer.from(payload.body),
  });
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    requests: result['2xx'],
    perSecond: result['2xx'] / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failures: result.non2xx + result.errors,
    cpuSeconds: (user + system) / 1e6,
  };
}

async function lone({ host, port, payload, seconds }: LoneRequest): Promise<LoneAnswer> {
  const socket = new HttpSocket(port, host);
  const bytes = requestBytes(port, payload, host);
  const latencies: number[] = [];
  let failures = 0;
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    const sentMs = performance.now();
    const reply = await socket.send(bytes);
    latencies.push(performance.now() - sentMs);
    if (reply.status !== 200) failures++;
  }
  socket.close();
  return { medianMs: percentile(ascending(latencies), 50), requests: latencies.length, failures };
}

async function openLoop(request: OpenLoopRequest): Promise<OpenLoopAnswer> {
  const { port, perSecond, seconds } = request;
  const bytes = requestBytes(port, request.payload);
  const idle = await openSockets(port, request.connections);
  let dropped = 0;
  const admitted: [number, number][] = [];
  const refused: [number, number, number][] = [];
  const others = new Map<number, number>();
  const underWay = new Set<Promise<void>>();
  const startMs = performance.now();
  const send = async (socket: HttpSocket, dueMs: number): Promise<void> => {
    const { status, body } = await socket.send(bytes);
    const latencyMs = performance.now() - startMs - dueMs;
    idle.push(socket);
    if (status === 200) admitted.push([dueMs, latencyMs]);
    else if (status === 429) refused.push([dueMs, latencyMs, readRetryAfterMs(body)]);
    else others.set(status, (others.get(status) ?? 0) + 1);
  };
  const total = Math.round(perSecond * seconds);
  for (let count = 0; count < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1000) * perSecond) + 1);
    for (; count < due; count++) {
      // The one idle for longest, so that none stays unused until the server gives it up.
      const socket = idle.shift();
      if (socket === undefined) {
        dropped++;
        continue;
      }
      const sending = send(socket, (count / perSecond) * 1000).finally(() => underWay.delete(sending));
      underWay.add(sending);
    }
    await sleep(1);
  }
  await Promise.all(underWay);
  for (const socket of idle) socket.close();
  const column = (rows: readonly (readonly number[])[], index: number): Float64Array =>
    Float64Array.from(rows, (row) => row[index] ?? Number.NaN);
  return {
    admitted: { dueMs: column(admitted, 0), latencyMs: column(admitted, 1) },
    refused: { dueMs: column(refused, 0), latencyMs: column(refused, 1), retryAfterMs: column(refused, 2) },
    others,
    dropped,
  };
}

/** Opens connections a few at a time: all at once would overflow the backlog of the server, and the kernel's retries take seconds. */
async function openSockets(port: number, count: number): Promise<HttpSocket[]> {
  const sockets = Array.from({ length: count }, () => new HttpSocket(port));
  for (let first = 0; first < count; first += CONNECTS_AT_ONCE)
    await Promise.all(sockets.slice(first, first + CONNECTS_AT_ONCE).map((socket) => socket.connect()));
  return sockets;
}

function readRetryAfterMs(body: Buffer): number {
  try {
    const { retryAfterMs } = JSON.parse(body.toString('utf8')) as { retryAfterMs?: unknown };
    return typeof retryAfterMs === 'number' ? retryAfterMs : Number.NaN;
  } catch {
    return Number.NaN;
  }
}
