import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';

/** Beyond the limit, so many connections are let in to ask for a probe: health must be told whatever clients do. */
const PROBE_RESERVE = 64;
/** Open files that are no connections: models, libraries, pipes of the process, inputs that are fetched. */
const OTHER_FILES = 200;
const FEWEST_CONNECTIONS = 16;
/** A full server says so this often. */
const TELL_EVERY_MS = 10_000;

/** What ends with its connection at the latest. */
interface Ending {
  end(): void;
}

/** One connection: what is under way on it. */
export class Connection {
  readonly socket: Socket;
  /** Let in beyond the limit: for probes alone. */
  readonly isExtra: boolean;
  /** The path of its last POST: a body that does not arrive in time is refused without a request at hand. */
  lastPath = '';
  /** Whether a request has come. */
  hasBegun = false;
  readonly #exchanges = new Set<Ending>();
  readonly #resting: Set<Connection>;
  #isClosed = false;

  constructor(socket: Socket, resting: Set<Connection>, isExtra: boolean) {
    this.socket = socket;
    this.isExtra = isExtra;
    this.#resting = resting;
    resting.add(this);
  }

  /** Is of use: of those without a request it is now the last to give way. */
  refresh(): void {
    if (this.#resting.delete(this)) this.#resting.add(this);
  }

  begin(exchange: Ending): void {
    if (this.#isClosed) queueMicrotask(() => exchange.end());
    this.#exchanges.add(exchange);
    this.#resting.delete(this);
  }

  finish(exchange: Ending): void {
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size === 0 && !this.#isClosed) this.#resting.add(this);
  }

  /**
   * Ends what is under way. Node tells only the response that stands first of its connection's end, never those of pipelined requests
   * behind it.
   */
  close(): void {
    this.#isClosed = true;
    this.#resting.delete(this);
    for (const exchange of this.#exchanges) exchange.end();
  }
}

const byChannel = new WeakMap<Duplex, Connection>();

/** The connection of a socket that a server of ours has accepted. */
export function connectionOf(socket: Duplex): Connection | undefined {
  return byChannel.get(socket);
}

const byServer = new WeakMap<Server, Connections>();

/** Closes a server's connections without a request: those between two requests, which Node knows, and those opened ahead of their first, which it does not. */
export function closeIdleConnections(server: Server): void {
  server.closeIdleConnections();
  byServer.get(server)?.closeUnused();
}

/**
 * How many connections the process's limit of open files allows: beyond it nothing at all would be let in, probes neither. Node raises the
 * soft limit to the hard one, which Linux alone tells; elsewhere it is Infinity.
 */
export function mostConnections(limitsFile = '/proc/self/limits'): number {
  let text = '';
  try {
    text = readFileSync(limitsFile, 'utf8');
  } catch {
    // Not Linux.
  }
  const files = Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? Infinity);
  return Math.max(FEWEST_CONNECTIONS, files - OTHER_FILES - PROBE_RESERVE);
}

export interface ConnectionLimits {
  readonly limit: number;
  /** Before the first request; those between two requests are Node's. */
  readonly idleMs: number;
  /** With a request under way. */
  readonly stalledMs: number;
}

/**
 * The connections of a server. When there are as many as allowed, a new one takes the place of the one that has been without a request for
 * longest; where all are busy, it may still ask for a probe.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #log: Log;
  readonly #metrics: Metrics;
  /** Without a request under way, longest first. */
  readonly #resting = new Set<Connection>();
  readonly #all = new Set<Connection>();
  #untold = { idleClosed: 0, refused: 0, dropped: 0 };
  #toldMs = -Infinity;

  constructor(limits: ConnectionLimits, { log, metrics }: { log: Log; metrics: Metrics }) {
    this.#limits = limits;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Watches over the connections of a server. */
  watch(server: Server): void {
    byServer.set(server, this);
    server.maxConnections = this.#limits.limit + PROBE_RESERVE;
    server.on('drop', () => this.#full('dropped'));
    server.on('connection', (socket: Socket) => this.#open(socket));
  }

  /** Takes down that a request has come, before anything else is done with it. */
  receive({ socket }: IncomingMessage, response: ServerResponse): Connection | undefined {
    const connection = byChannel.get(socket);
    if (connection === undefined) return undefined;
    if (!connection.hasBegun) {
      connection.hasBegun = true;
      socket.setTimeout(this.#limits.stalledMs);
    }
    // The reserve is for one question each.
    if (connection.isExtra) response.shouldKeepAlive = false;
    return connection;
  }

  /** Why a request other than a probe is refused for its connection; it is then counted as such. */
  refusal(connection: Connection | undefined): ServerError | undefined {
    if (connection?.isExtra !== true || this.#all.size <= this.#limits.limit) return undefined;
    this.#full('refused');
    return new ServerError('QUEUE_FULL', 'The server has as many connections as it takes.', { retryAfterMs: 1000 });
  }

  /** Closes those on which nothing has ever been sent. */
  closeUnused(): void {
    for (const { socket } of this.#resting) if (socket.bytesRead === 0) socket.destroy();
  }

  #open(socket: Socket): void {
    const { limit, idleMs } = this.#limits;
    if (this.#all.size >= limit) this.#closeLongestIdle();
    const connection = new Connection(socket, this.#resting, this.#all.size >= limit);
    this.#all.add(connection);
    this.#metrics.connections.set(this.#all.size);
    byChannel.set(socket, connection);
    // Until its first request comes, it is an idle connection like any other: balancers open some ahead.
    socket.setTimeout(idleMs);
    socket.once('close', () => {
      this.#all.delete(connection);
      this.#metrics.connections.set(this.#all.size);
      connection.close();
    });
  }

  #closeLongestIdle(): void {
    const [longest] = this.#resting;
    if (longest === undefined) return;
    this.#all.delete(longest);
    longest.close();
    longest.socket.destroy();
    this.#full('idleClosed');
  }

  #full(outcome: keyof typeof OUTCOMES): void {
    this.#metrics.connectionsFull.inc({ outcome: OUTCOMES[outcome] });
    this.#untold[outcome] += 1;
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = nowMs;
    this.#log.warn({ limit: this.#limits.limit, ...this.#untold }, 'as many connections as CONNECTION_LIMIT allows');
    this.#untold = { idleClosed: 0, refused: 0, dropped: 0 };
  }
}

const OUTCOMES = { idleClosed: 'idle_closed', refused: 'refused', dropped: 'dropped' } as const;
