import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server as TlsServer, TLSSocket } from 'node:tls';
import { ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';

/** Beyond the limit, this many connections are accepted for probes, because they must be answered whatever clients do. */
const PROBE_RESERVE = 64;
/** Open files other than connections: models, libraries, pipes, inputs that are fetched. */
const OTHER_FILES = 200;
const FEWEST_CONNECTIONS = 16;
/** A client that has just connected sends its request at once, but long turns of the event loop may keep it from being read: it is not idle yet. */
const FRESH_MS = 1000;
/** The log says at most this often that the server is full. */
const TELL_EVERY_MS = 10_000;

const NO_ROOM = new ServerError('QUEUE_FULL', 'The server has no room for further connections.', {
  retryAfterMs: 1000,
});

/** Something that ends at the latest with its connection: an exchange. */
interface Ending {
  end(): void;
}

/** One connection, and the exchanges under way on it. */
export class Connection {
  /** Under TLS the one that has been made secure, once it is. */
  socket: Socket;
  /** Accepted beyond the limit, for probes only. */
  readonly isExtra: boolean;
  /** The path of its last POST, which gives the shape of the error when Node refuses a late body. */
  lastPath = '';
  /** Whether a request has come. */
  hasBegun = false;
  readonly #openedMs = performance.now();
  readonly #exchanges = new Set<Ending>();
  readonly #resting: Set<Connection>;
  #isClosed = false;

  constructor(socket: Socket, resting: Set<Connection>, isExtra: boolean) {
    this.socket = socket;
    this.isExtra = isExtra;
    this.#resting = resting;
    resting.add(this);
  }

  /** Whether its first request may still be on its way. */
  isFresh(nowMs: number): boolean {
    return !this.hasBegun && nowMs - this.#openedMs < FRESH_MS;
  }

  /** The connection was just used: among the idle ones it is now the last to be closed. */
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
   * Ends the exchanges under way. When a connection ends, Node closes only its first response, not those of pipelined requests
   * behind it.
   */
  close(): void {
    this.#isClosed = true;
    this.#resting.delete(this);
    for (const exchange of this.#exchanges) exchange.end();
  }
}

const byChannel = new WeakMap<Duplex, Connection>();

/** The connection of a socket; undefined if no server of this process has accepted it. */
export function connectionOf(socket: Duplex): Connection | undefined {
  return byChannel.get(socket);
}

const byServer = new WeakMap<Server, Connections>();

/** Closes a server's idle connections: those between two requests, which Node closes, and those before their first request, which it leaves open. */
export function closeIdleConnections(server: Server): void {
  server.closeIdleConnections();
  byServer.get(server)?.closeUnused();
}

/** Takes a connection that another server has accepted among those of this one. */
export function adopt(server: Server, socket: Socket): void {
  if (!byChannel.has(socket)) byServer.get(server)?.open(socket);
}

/**
 * How many connections the process's limit of open files allows: beyond it nothing would be accepted, not even probes. Node raises the
 * soft limit to the hard one, which only Linux shows; elsewhere the result is Infinity.
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
  /** Limit before the first request. (Node has its own between two requests.) */
  readonly idleMs: number;
  /** Limit without any traffic while a request is under way. */
  readonly stalledMs: number;
}

/**
 * The connections of a server. At the limit, a new one replaces the one that has been idle for longest; if all are busy, it joins a small reserve, for
 * a probe or for an honest refusal. Where the reserve is full, the one that has waited in it for longest without a request gives way.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #log: Log;
  readonly #metrics: Metrics;
  /** Those under TLS whose handshake is not done, by the client's address and port: Node hands out another socket then. */
  readonly #unsecured = new Map<string, Connection>();
  /** Idle connections, the longest idle first; those of the reserve have their own list. */
  readonly #resting = new Set<Connection>();
  readonly #restingExtra = new Set<Connection>();
  readonly #all = new Set<Connection>();
  #untold = { idleClosed: 0, refused: 0, dropped: 0 };
  #toldMs = -Infinity;

  constructor(limits: ConnectionLimits, { log, metrics }: { log: Log; metrics: Metrics }) {
    this.#limits = limits;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Limits the connections of a server. */
  watch(server: Server): void {
    byServer.set(server, this);
    server.on('connection', (socket: Socket) => this.open(socket, server instanceof TlsServer));
    server.on('secureConnection', (socket: Socket) => this.#secure(socket));
  }

  /** Records that a request has come; to be called before anything else is done with it. */
  receive({ socket }: IncomingMessage, response: ServerResponse): Connection | undefined {
    const connection = byChannel.get(socket);
    if (connection === undefined) return undefined;
    if (!connection.hasBegun) {
      connection.hasBegun = true;
      socket.setTimeout(this.#limits.stalledMs);
    }
    // A connection of the reserve gets one answer.
    if (connection.isExtra) response.shouldKeepAlive = false;
    return connection;
  }

  /** The refusal of a request other than a probe on a connection of the reserve, which is then counted; else undefined. */
  refusal(connection: Connection | undefined): ServerError | undefined {
    if (connection?.isExtra !== true || this.#all.size <= this.#limits.limit) return undefined;
    this.#full('refused');
    return NO_ROOM;
  }

  /** Closes the connections on which the client has sent nothing yet. */
  closeUnused(): void {
    for (const { socket, hasBegun } of [...this.#resting, ...this.#restingExtra])
      if (socket.bytesRead === 0 || (socket instanceof TLSSocket && !hasBegun)) socket.destroy();
    for (const { socket } of this.#unsecured.values()) socket.destroy();
  }

  open(socket: Socket, isTls = false): void {
    const { limit, idleMs } = this.#limits;
    if (this.#all.size >= limit) this.#makeRoom();
    // Not by `maxConnections`: it counts those of one listening socket.
    if (this.#all.size >= limit + PROBE_RESERVE) {
      socket.destroy();
      this.#full('dropped');
      return;
    }
    const isExtra = this.#all.size >= limit;
    const connection = new Connection(socket, isExtra ? this.#restingExtra : this.#resting, isExtra);
    this.#all.add(connection);
    this.#metrics.connections.set(this.#all.size);
    byChannel.set(socket, connection);
    const place = isTls ? placeOf(socket) : undefined;
    if (place !== undefined) this.#unsecured.set(place, connection);
    // Load balancers open connections ahead of time; until their first request they count as idle.
    socket.setTimeout(idleMs);
    socket.once('close', () => {
      if (place !== undefined && this.#unsecured.get(place) === connection) this.#unsecured.delete(place);
      this.#all.delete(connection);
      this.#metrics.connections.set(this.#all.size);
      connection.close();
    });
  }

  /** From here on the connection is known by the socket that requests come from. */
  #secure(socket: Socket): void {
    const place = placeOf(socket);
    const connection = this.#unsecured.get(place);
    if (connection === undefined) return;
    this.#unsecured.delete(place);
    connection.socket = socket;
    byChannel.set(socket, connection);
    socket.setTimeout(this.#limits.idleMs);
  }

  #makeRoom(): void {
    const [longest] = this.#resting;
    if (longest?.isFresh(performance.now()) === false) this.#close(longest, 'idleClosed');
    else if (this.#all.size >= this.#limits.limit + PROBE_RESERVE) {
      const [waiting] = this.#restingExtra;
      if (waiting !== undefined) this.#close(waiting, 'dropped');
    }
  }

  #close(connection: Connection, outcome: keyof typeof OUTCOMES): void {
    this.#all.delete(connection);
    connection.close();
    connection.socket.destroy();
    this.#full(outcome);
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

function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

const OUTCOMES = { idleClosed: 'idle_closed', refused: 'refused', dropped: 'dropped' } as const;
