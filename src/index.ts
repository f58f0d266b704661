import type { RequestListener } from 'node:http';
import type { Config } from './config/options.ts';
import { readConfig } from './config/read.ts';
import { systemClock } from './core/clock.ts';
import { adopt } from './http/connections.ts';
import { Keys } from './http/keys/keys.ts';
import { createHttpServer } from './http/server.ts';
import { readJob } from './jobs/job.ts';
import { JobRunner } from './jobs/run-job.ts';
import { Cancellation } from './serving/cancellation.ts';
import { startEngine } from './lifecycle.ts';
import { createLogs } from './log.ts';
import { createMetrics } from './metrics.ts';

/** Carpool inside another program: `import { createCarpool } from 'carpool'`. docs/embedding.md */

/** Options by their names in docs/configuration.md, with values of their JSON types; those of a server that listens (HOST, PORT) have no effect. */
export type CarpoolOptions = Readonly<Partial<Record<keyof Config, unknown>>>;

/** An answer, as a client of HTTP would have it. */
export interface CarpoolAnswer {
  readonly status: number;
  /** The value of JSON, a text as it is, anything else as `{ content_type, base64 }`. */
  readonly body: unknown;
}

export interface RequestLimits {
  /** Ends the request; nothing is computed for it any more. */
  readonly signal?: AbortSignal;
  /** Default: REQUEST_TIMEOUT_MS. */
  readonly timeoutMs?: number;
}

export interface Carpool {
  /** Serves every route of Carpool below the path at which it is mounted. No other middleware may have read the body. */
  readonly handler: RequestListener;
  /** An inference request without HTTP: the body of `POST path`. Rejects if it was cancelled, or if the engine is closed meanwhile. */
  request(path: string, body: Readonly<Record<string, unknown>>, limits?: RequestLimits): Promise<CarpoolAnswer>;
  /** Finishes what was admitted, within DRAIN_GRACE_MS, and ends all threads. Resolves with whether all was finished. */
  close(): Promise<boolean>;
}

/** Starts the lanes and loads the models. Throws a ConfigError for wrong options, and a StartError if the models cannot be served. */
export async function createCarpool(options: CarpoolOptions = {}): Promise<Carpool> {
  const config = readConfig({ flags: {}, env: {}, file: options });
  const logs = createLogs({ level: config.LOG_LEVEL, pretty: config.LOG_FORMAT === 'pretty' });
  const metrics = createMetrics();
  const keys = await Keys.open({ config, log: logs.log, metrics });
  const engine = startEngine(config, logs, { keys, metrics });
  try {
    await engine.started;
  } catch (error) {
    await engine.drain('it could not start');
    throw error;
  }
  const { services } = engine;
  // Never listens: it is what Node gives a listener of requests.
  const server = createHttpServer(services);
  const runner = new JobRunner({
    door: services.door,
    clock: systemClock,
    log: services.log,
    timeoutMs: config.REQUEST_TIMEOUT_MS,
    places: services.jobPlaces,
    tracer: services.tracer,
  });
  return {
    handler(request, response) {
      if (request.readableEnded && Number(request.headers['content-length'] ?? 0) > 0)
        throw new Error(
          'The body was read before: mount the handler ahead of middleware that reads bodies (express.json).',
        );
      adopt(server, request.socket);
      server.emit('request', request, response);
    },
    request: (path, body, limits) => answerOf(runner, { path, body }, limits),
    close() {
      keys?.close();
      return engine.drain();
    },
  };
}

async function answerOf(
  runner: JobRunner,
  { path, body }: { readonly path: string; readonly body: Readonly<Record<string, unknown>> },
  { signal, timeoutMs }: RequestLimits = {},
): Promise<CarpoolAnswer> {
  signal?.throwIfAborted();
  const line = { custom_id: 'request', url: path, body, ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }) };
  const job = readJob(Buffer.from(JSON.stringify(line)));
  const cancellation = new Cancellation();
  const cancel = (): void => cancellation.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const result = await runner.run(job, { cancellation });
    signal?.throwIfAborted();
    if (result === undefined) throw new Error('The engine was closed before the request was served.');
    const { response } = JSON.parse(Buffer.from(result.line).toString()) as {
      response: { status_code: number; body: unknown };
    };
    return { status: response.status_code, body: response.body };
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
