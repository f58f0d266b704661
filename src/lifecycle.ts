// First, because it sets what must be set before ONNX Runtime's library is loaded.
import { createParts, type Opened } from './main.ts';
import type { Server } from 'node:http';
import type { Config } from './config/options.ts';
import { openJobsDir, type JobsDir } from './jobs/jobs-dir.ts';
import { readAcceptQueue } from './http/accept-queue.ts';
import { closeIdleConnections } from './http/connections.ts';
import { listenOnMany, type Listening } from './http/listen.ts';
import { listenProblem, type PortOption } from './http/listen-problem.ts';
import { ProbePort } from './http/probe-port.ts';
import { Certificate } from './http/certificate.ts';
import { Keys } from './http/keys/keys.ts';
import { isLoopbackHost } from './http/management.ts';
import { isEmpty } from './http/probes.ts';
import { createHttpServer } from './http/server.ts';
import { createLogs, type Log, type Logs } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { logFields } from './salad/identity.ts';
import { cannotStart, StartError } from './start-error.ts';
import { startReport } from './start-report.ts';
import type { Services } from './http/services.ts';
import type { ServerState } from './state.ts';
import { VERSION } from './version.ts';
import { drain, LAST_WRITES_MS } from './drain.ts';
import { start } from './start.ts';

/** The life of a server: it listens, starts (`start.ts`), and drains (`drain.ts`). */

export interface CarpoolServer {
  readonly port: number;
  /** Undefined without PROBE_PORT. */
  readonly probePort: number | undefined;
  readonly state: ServerState;
  /** Resolves when every model is loaded and warm; rejects with a StartError when the server cannot do its work. */
  readonly started: Promise<void>;
  /** Refuses new work, finishes what was admitted within the grace, closes. Resolves with whether all was finished. */
  drain(why?: string): Promise<boolean>;
  /** What a person at a terminal is told once it has started; undefined elsewhere. */
  report(): string | undefined;
  /** Writes out the log lines gathered so far, within a second; for the end of the process. */
  flushLogs(): Promise<void>;
}

/** What serves, without HTTP: for commands that bring their requests themselves. */
export interface Engine extends Pick<CarpoolServer, 'started' | 'drain'> {
  readonly services: Services;
}

/** Starts the lanes and loads the models. */
export function startEngine(config: Config, logs: Logs, opened: Opened = {}): Engine {
  const parts = createParts(config, logs, opened);
  logPhases(parts.services);
  const started = start(parts);
  return { services: parts.services, started, drain: (why) => drain(parts, { started, why }) };
}

/** Starts a server: it listens and answers probes at once, and loads its models meanwhile. Throws a StartError where it cannot listen. */
export async function startServer(config: Config, logs: Logs = defaultLogs(config)): Promise<CarpoolServer> {
  const { log } = logs;
  const kept = config.JOBS_DIR === '' ? undefined : await openKept(config, log);
  const metrics = createMetrics();
  const keys = await openKeys(config, log, metrics);
  const parts = createParts(config, logs, { kept, keys, metrics });
  logPhases(parts.services);
  const certificate = await Certificate.open(config, log).catch(cannotStart('TLS_CERT_FILE, TLS_KEY_FILE'));
  const server = createHttpServer(parts.services, certificate);
  const refuse = (error: unknown, option: PortOption): never => {
    void kept?.close();
    throw new StartError(listenProblem(config, error, option), { cause: error });
  };
  const listening = await listenOnMany(server, { host: config.HOST, port: config.PORT }).catch((error: unknown) =>
    refuse(error, 'PORT'),
  );
  const { port } = listening;
  parts.services.metrics.watchAcceptQueue(() => readAcceptQueue(port));
  const probes = await openProbePort(parts.services).catch((error: unknown) => {
    void listening.close();
    return refuse(error, 'PROBE_PORT');
  });
  const probePort = probes?.port;
  log.info(
    { host: config.HOST, port, ...(probePort === undefined ? {} : { probePort }), version: VERSION },
    'listening',
  );
  tellKeys(parts.services);
  const started = start(parts);
  return {
    port,
    probePort,
    state: parts.services.state,
    started,
    async drain(why) {
      const close = (): Promise<void> => closeServer(server, listening);
      const finished = await drain(parts, { started, why, close });
      // Last, so that probes are answered to the end.
      await probes?.close();
      keys?.close();
      certificate?.close();
      return finished;
    },
    report: () => (isReadable(config) ? startReport(parts.services, port) : undefined),
    flushLogs: logs.flush,
  };
}

async function openProbePort(services: Services): Promise<ProbePort | undefined> {
  return services.config.PROBE_PORT === -1 ? undefined : ProbePort.open(services);
}

function defaultLogs(config: Config): Logs {
  return createLogs({ level: config.LOG_LEVEL, pretty: isReadable(config), fields: logFields(config) });
}

/** Whether a person reads the output. */
function isReadable({ LOG_FORMAT }: Config): boolean {
  return LOG_FORMAT === 'pretty' || (LOG_FORMAT === 'auto' && process.stdout.isTTY);
}

/** Logs each phase of the server; without a model the line does not say ready, because /ready is 503. */
function logPhases(services: Services): void {
  const { state, log } = services;
  state.onChange((phase, why) => {
    const isIdle = phase === 'ready' && isEmpty(services);
    log[phase === 'failed' ? 'error' : isIdle ? 'warn' : 'info'](
      { phase, why },
      isIdle ? 'server is up without a model, so /ready is 503' : `server is ${phase}`,
    );
  });
}

function openKeys(config: Config, log: Log, metrics: Metrics): Promise<Keys | undefined> {
  return Keys.open({ config, log, metrics }).catch(cannotStart('API_KEYS_FILE'));
}

/** Says who may use the server. */
function tellKeys({ config, keys, log }: Services): void {
  if (keys !== undefined) log.info({ keys: keys.count }, 'API keys are asked for');
  else if (!isLoopbackHost(config.HOST))
    log.warn({ host: config.HOST }, 'whoever reaches this address may use the server: there are no API keys (API_KEY)');
}

function openKept(config: Config, log: Log): Promise<JobsDir> {
  return openJobsDir(config, log).catch(cannotStart('JOBS_DIR'));
}

async function closeServer(server: Server, listening: Listening): Promise<void> {
  const closed = listening.close();
  closeIdleConnections(server);
  const cut = setTimeout(() => server.closeAllConnections(), LAST_WRITES_MS);
  await closed;
  clearTimeout(cut);
}
