import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpSocket, requestBytes } from '../http-socket.ts';
import type { Target } from '../payload.ts';

/** The client's side of `crowd`: requests at a constant rate that wait for nothing, not even for a connection. */

export interface CrowdRequest extends Target {
  readonly kind: 'crowd';
  readonly seconds: number;
  readonly perSecond: number;
  /** Requests under way at most; an arrival beyond them is dropped and counted. */
  readonly most: number;
  /** A request without a reply by then has failed. Counts from when it was sent. */
  readonly timeoutMs: number;
  /** A connection for each request. Else a request takes an idle one if there is any, as most clients do. */
  readonly isEachNew: boolean;
}

/** One entry for each request sent, in the order of their due times. Times are milliseconds from the start of the load. */
export interface CrowdAnswer {
  readonly dueMs: Float64Array;
  /** How late this client sent it. */
  readonly lateMs: Float64Array;
  /** From the due time to the whole reply. */
  readonly latencyMs: Float64Array;
  /** 0: the connection broke or could not be opened; 1: no reply in time. */
  readonly status: Uint16Array;
  readonly dropped: number;
  /** Connections opened. */
  readonly opened: number;
  /** Processor time of this client. */
  readonly cpuSeconds: number;
}

export const BROKEN = 0;
export const TIMED_OUT = 1;

/** Sends the load and waits for the last reply, at most `timeoutMs` after the last request. */
export async function crowd(request: CrowdRequest): Promise<CrowdAnswer> {
  const cpuBefore = process.cpuUsage();
  const load = new Crowd(request);
  const total = Math.round(request.perSecond * request.seconds);
  for (let count = 0; count < total;) {
    const due = Math.min(total, Math.floor((load.nowMs() / 1000) * request.perSecond) + 1);
    for (; count < due; count++) load.send((count / request.perSecond) * 1000);
    load.endLate();
    await sleep(1);
  }
  while (load.underWay > 0) {
    load.endLate();
    await sleep(1);
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return { ...load.end(), cpuSeconds: (user + system) / 1e6 };
}

interface Flight {
  readonly socket: HttpSocket;
  readonly dueMs: number;
  readonly sentMs: number;
  latencyMs: number;
  /** -1: under way. */
  status: number;
}

class Crowd {
  readonly #request: CrowdRequest;
  readonly #bytes: Buffer;
  readonly #startMs = performance.now();
  readonly #idle: HttpSocket[] = [];
  readonly #flights: Flight[] = [];
  /** All before it are over: limits end in the order in which requests were sent. */
  #oldest = 0;
  #dropped = 0;
  #opened = 0;
  underWay = 0;

  constructor(request: CrowdRequest) {
    this.#request = request;
    const { port, host, payload, isEachNew } = request;
    const headers = isEachNew ? { ...payload.headers, connection: 'close' } : payload.headers;
    this.#bytes = requestBytes(port, { ...payload, headers }, host);
  }

  nowMs(): number {
    return performance.now() - this.#startMs;
  }

  send(dueMs: number): void {
    if (this.underWay >= this.#request.most) {
      this.#dropped++;
      return;
    }
    this.underWay++;
    const flight: Flight = { socket: this.#connection(), dueMs, sentMs: this.nowMs(), latencyMs: 0, status: -1 };
    this.#flights.push(flight);
    void flight.socket.send(this.#bytes).then(({ status }) => this.#land(flight, status));
  }

  /** Gives up the requests whose time is over. */
  endLate(): void {
    const nowMs = this.nowMs();
    for (; this.#oldest < this.#flights.length; this.#oldest++) {
      const flight = this.#flights[this.#oldest];
      if (flight === undefined || flight.status !== -1) continue;
      if (nowMs - flight.sentMs < this.#request.timeoutMs) return;
      this.#land(flight, TIMED_OUT);
    }
  }

  end(): Omit<CrowdAnswer, 'cpuSeconds'> {
    for (const socket of this.#idle) socket.close();
    const column = (value: (flight: Flight) => number): Float64Array => Float64Array.from(this.#flights, value);
    return {
      dueMs: column(({ dueMs }) => dueMs),
      lateMs: column(({ dueMs, sentMs }) => sentMs - dueMs),
      latencyMs: column(({ latencyMs }) => latencyMs),
      status: Uint16Array.from(this.#flights, ({ status }) => status),
      dropped: this.#dropped,
      opened: this.#opened,
    };
  }

  #land(flight: Flight, status: number): void {
    if (flight.status !== -1) return;
    flight.status = status;
    flight.latencyMs = this.nowMs() - flight.dueMs;
    this.underWay--;
    if (status > TIMED_OUT && flight.socket.isOpen && !this.#request.isEachNew) this.#idle.push(flight.socket);
    else flight.socket.close();
  }

  /** An idle connection, the last used first, or a new one. */
  #connection(): HttpSocket {
    for (let socket = this.#idle.pop(); socket !== undefined; socket = this.#idle.pop())
      if (socket.isOpen) return socket;
    this.#opened++;
    return new HttpSocket(this.#request.port, this.#request.host);
  }
}
