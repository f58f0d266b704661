import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { dialectOf, operationAt, type Match } from '../dialects/operation-table.ts';
import { HTTP } from '../dialects/shared/dialect.ts';
import { ServerError, type ErrorCode } from '../errors.ts';
import type { Entry } from '../serving/call.ts';
import { createApp } from './app.ts';
import type { Certificate } from './certificate.ts';
import { connectionOf, Connections, mostConnections, type Connection, type ConnectionLimits } from './connections.ts';
import { allowOrigins } from './cors.ts';
import { Exchange } from './exchange.ts';
import { jobIdOf, pathOf } from './headers.ts';
import { checkHosts } from './host-names.ts';
import { serveOperation } from './inference.ts';
import { isFromHere } from './management.ts';
import { isOpen } from './openapi/docs.ts';
import { nameNode } from './node-headers.ts';
import { isForPage } from './page.ts';
import { answerProbe, PROBES } from './probes.ts';
import { QueueJobs } from './queue-jobs.ts';
import { isOfCrowds, Refusals } from './refusals.ts';
import type { Services } from './services.ts';
import { readTarget } from './target.ts';

/** Node checks its header and body limits this often. */
const CHECK_EVERY_MS = 1000;
/** Beyond a request's own limit, a connection on which nothing moves is closed. */
const IDLE_SLACK_MS = 30_000;

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly services: Services;
  readonly connections: Connections;
  readonly refusals: Refusals;
  readonly queueJobs: QueueJobs;
  readonly checkHost: ReturnType<typeof checkHosts>;
  readonly allowOrigin: ReturnType<typeof allowOrigins>;
}

/**
 * The HTTP server. Probes and inference routes are looked up in a table first, because Express costs them a factor of five;
 * everything else goes to the Express app. With a certificate it speaks TLS.
 */
export function createHttpServer(services: Services, certificate?: Certificate): Server {
  const { config } = services;
  const app = createApp(services);
  const allowOrigin = allowOrigins(config.CORS_ORIGINS);
  const refusals = new Refusals(services);
  const queueJobs = new QueueJobs(services);
  const checkHost = checkHosts(config);
  const options = serverOptions(config);
  const listener: RequestListener = (request, response) =>
    dispatch(app, { request, response, services, connections, refusals, queueJobs, allowOrigin, checkHost });
  const server = certificate?.createServer(options, listener) ?? createServer(options, listener);
  server.timeout = config.REQUEST_TIMEOUT_MS + IDLE_SLACK_MS;
  const connections = new Connections(connectionLimits(services), services);
  connections.watch(server);
  server.on('close', () => refusals.flush());
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    // A body that is too large is refused before it is sent.
    if (Number(request.headers['content-length'] ?? 0) <= config.BODY_LIMIT_BYTES) response.writeContinue();
    server.emit('request', request, response);
  });
  // Node would answer an expectation that it does not know with a bare 417; RFC 9110 (10.1.1) permits ignoring it.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response);
  });
  server.on('clientError', answerClientError);
  server.on('connect', (_, socket) => refuseSocket(socket, new ServerError('METHOD_NOT_ALLOWED')));
  return server;
}

function serverOptions(config: Services['config']): ServerOptions {
  return {
    maxHeaderSize: config.HEADER_LIMIT_BYTES,
    headersTimeout: config.HEADERS_TIMEOUT_MS,
    requestTimeout: config.BODY_TIMEOUT_MS,
    keepAliveTimeout: config.KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    // Checked in `dispatch`, because Node's own refusal has no body.
    requireHostHeader: false,
    noDelay: true,
  };
}

function connectionLimits({ config, log }: Services): ConnectionLimits {
  const { KEEP_ALIVE_MS, HEADERS_TIMEOUT_MS, CONNECTION_LIMIT } = config;
  const stalledMs = config.REQUEST_TIMEOUT_MS + IDLE_SLACK_MS;
  // A client whose headers come too slowly gets an answer before the connection is closed for its silence.
  const idleMs = KEEP_ALIVE_MS === 0 ? stalledMs : Math.max(KEEP_ALIVE_MS, HEADERS_TIMEOUT_MS + 2 * CHECK_EVERY_MS);
  const limit = Math.min(CONNECTION_LIMIT, mostConnections());
  if (limit < CONNECTION_LIMIT)
    log.warn({ limit, CONNECTION_LIMIT }, 'the limit of open files (ulimit -n) allows fewer connections');
  return { limit, idleMs, stalledMs };
}

function dispatch(app: RequestListener, call: Call): void {
  const { request, response, connections } = call;
  call.allowOrigin?.(request, response);
  if (call.services.node !== undefined) nameNode(response, call.services.node);
  const connection = connections.receive(request, response);
  const refusal = readTarget(request);
  const path = pathOf(request);
  const { method } = request;
  if (method === 'POST' && connection !== undefined) connection.lastPath = path;
  if (refusal !== undefined) {
    refuse(call, path, refusal);
    return;
  }
  const probe = Object.hasOwn(PROBES, path) ? PROBES[path] : undefined;
  if (probe !== undefined && (method === 'GET' || method === 'HEAD')) {
    connection?.refresh();
    answerProbe(probe, call);
    return;
  }
  const match = method === 'POST' ? operationAt(path) : undefined;
  const unwanted = refusalOf(call, connection, match);
  if (unwanted !== undefined) refuse(call, path, unwanted);
  else if (match === undefined) app(request, response);
  else enter(match, call);
}

/** Why a request is not served: there is no room for its connection, or its name or API key is not right. Undefined if it is. */
function refusalOf(call: Call, connection: Connection | undefined, match: Match | undefined): ServerError | undefined {
  const { request, connections, checkHost, services } = call;
  const refusal = connections.refusal(connection) ?? checkHost?.(request);
  const { keys } = services;
  if (refusal !== undefined || keys === undefined) return refusal;
  return (
    keys.refusal(request, { isOpen: isOpenTo(request, services), isOperation: match !== undefined }) ??
    (match === undefined ? undefined : keys.scopeRefusal(request, 'infer'))
  );
}

/** Whether what a request asks for is for everyone, once there are keys. */
function isOpenTo(request: IncomingMessage, { config }: Services): boolean {
  return isOpen(pathOf(request)) || (config.DASHBOARD && isForPage(request));
}

function refuse({ request, response, services, refusals }: Call, path: string, refusal: ServerError): void {
  const dialect = dialectOf(path);
  if (isOfCrowds(refusal)) refusals.answer(refusal, dialect, request, response);
  else new Exchange(request, response, { services, dialect }).fail(refusal);
}

const NO_REQUESTS = new ServerError('FORBIDDEN', 'This server takes jobs from its queue only.');

/** Serves an operation, unless it is refused before its body is read. */
function enter({ operation, name, version }: Match, call: Call): void {
  const { request, response, services, refusals } = call;
  const { dialect } = operation;
  if (!services.config.INFERENCE_API) {
    new Exchange(request, response, { services, dialect }).fail(NO_REQUESTS);
    return;
  }
  const jobId = jobIdOf(request);
  // From anywhere else, a header would be a way around limits.
  if (jobId !== undefined && isFromHere(request)) {
    enterJob(jobId, { operation, name, version }, call);
    return;
  }
  let entry: Entry | undefined;
  let refusal: unknown;
  // A refusal before the body knows no more of the model than its path.
  if (services.node !== undefined && name !== undefined && services.repository.versions(name).length > 0)
    response.setHeader('X-Model-ID', name);
  try {
    const found = services.door.entryOf(operation, name, version);
    if (found instanceof ServerError) refusal = found;
    else entry = found;
  } catch (error) {
    refusal = error;
  }
  if (isOfCrowds(refusal)) {
    refusals.answer(refusal, dialect, request, response);
    return;
  }
  const exchange = new Exchange(request, response, { services, dialect, refusals });
  if (entry === undefined) exchange.fail(refusal);
  // Whatever it throws is answered in the shape of the operation's dialect.
  else serveOperation(exchange, services, entry).catch((error: unknown) => exchange.fail(error));
}

/** Serves a job of SaladCloud's queue, unless the server is not ready. */
function enterJob(id: string, match: Match, { request, response, services, refusals, queueJobs }: Call): void {
  const { dialect } = match.operation;
  const unready = services.door.unready();
  if (unready === undefined) {
    const exchange = new Exchange(request, response, { services, dialect });
    queueJobs.serve(exchange, id, match).catch((error: unknown) => exchange.fail(error));
  } else refusals.answer(unready, dialect, request, response);
}

const PARSER_CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
};

/** Bytes in which the path of a refused request is looked for. */
const MOST_REQUEST_LINE = 256;

/** Input that Node's parser refuses never becomes a request; it is answered as JSON all the same. */
function answerClientError(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !canTell(socket)) {
    socket.destroy();
    return;
  }
  const connection = connectionOf(socket);
  // Node counts the time for headers from the connection on; here it begins with their first byte, as Node does for later requests.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) return;
  const [, path] = /^[A-Z]+ (\/[^ ?\r\n]*)/.exec(error.rawPacket?.toString('latin1', 0, MOST_REQUEST_LINE) ?? '') ?? [];
  const refusal = new ServerError(PARSER_CODES[error.code ?? ''] ?? 'BAD_REQUEST');
  refuseSocket(socket, refusal, dialectOf(path ?? connection?.lastPath ?? ''));
}

/** Whether an answer can be written: none has been, and what has failed is not the handshake of TLS. */
function canTell(socket: Socket): boolean {
  const isHandshake = socket instanceof TLSSocket && connectionOf(socket) === undefined;
  return socket.writable && socket.bytesWritten === 0 && !isHandshake;
}

/** Writes an answer to a socket that has no response object. */
function refuseSocket(socket: Duplex, refusal: ServerError, dialect = HTTP): void {
  const told = dialect.tellError(refusal);
  const body = JSON.stringify(told.body);
  socket.end(
    `HTTP/1.1 ${told.status} ${STATUS_CODES[told.status] ?? ''}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
