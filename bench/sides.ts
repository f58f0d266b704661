import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { endWithParent } from './child.ts';
import { readRuns, type Runs } from './batch-runs.ts';
import type { BenchModel } from './models.ts';
import { type BenchDialect, makePayload, type Payload, type Target } from './payload.ts';
import { processTree } from './process-usage.ts';
import { startServer } from './server-process.ts';

/** A server under load: ours, or another that is put beside it. */
export interface Side {
  readonly name: string;
  readonly target: Target;
  readonly healthPath: string;
  /** Where a thread of its own answers probes, if there is one. */
  readonly probePort?: number | undefined;
  /** Its process; undefined where this benchmark did not start it. */
  readonly pid: number | undefined;
  /** All its processes as of now. */
  readonly pids: () => readonly number[];
  /** It is measured while somebody looks at its page: `GET /live` is read meanwhile. */
  readonly isWatched?: boolean;
  /** Items and runs so far; undefined where it does not tell. */
  runs(): Promise<Runs | undefined>;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 120_000;

/** Another server to be put beside ours. */
export interface PeerOptions {
  readonly url: URL;
  /** Starts it, by the shell, with the model's file as MODEL_FILE; without one it is up already. */
  readonly command: string | undefined;
  /** File with the body of a request. Without one it is sent what ours is. */
  readonly bodyFile: string | undefined;
  readonly contentType: string | undefined;
  readonly healthPath: string;
}

export interface OurOptions {
  readonly dialect: BenchDialect;
  readonly modelOptions: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** `cli.js` of another build. */
  readonly cli?: string | undefined;
}

/** Starts our own server, with one model. Throws a plain Error when it does not get ready. */
export async function startOurs(
  model: BenchModel,
  { dialect, modelOptions, environment = {}, cli }: OurOptions,
): Promise<Side> {
  const server = await startServer(
    {
      MODELS_DIR: model.modelsDir,
      MODELS: model.name,
      DEFAULT_MODEL: model.name,
      MODEL_OPTIONS: JSON.stringify({ [model.name]: modelOptions }),
      ...environment,
    },
    cli,
  );
  return {
    name: 'carpool',
    target: { port: server.port, payload: makePayload(model, dialect) },
    healthPath: '/health',
    probePort: server.probePort,
    pid: server.pid,
    pids: () => [server.pid],
    runs: async () => readRuns(await server.metrics(), model.name),
    stop: () => server.stop(),
  };
}

/** Waits for another server, started by its command if it has one. Throws a plain Error when it does not get healthy. */
export async function startPeer(
  peer: PeerOptions,
  { payload, modelFile }: { readonly payload: Payload; readonly modelFile: string },
): Promise<Side> {
  const { url, command, healthPath } = peer;
  // A group of its own, so that the shell's children end with it.
  const env = { ...process.env, MODEL_FILE: modelFile };
  const child =
    command === undefined ? undefined : spawn(command, { shell: true, detached: true, env, stdio: ['ignore', 2, 2] });
  const stop = (): Promise<void> => endGroup(child);
  endWithParent(() => void endGroup(child));
  const limitMs = performance.now() + START_LIMIT_MS;
  while (!(await isHealthy(new URL(healthPath, url)))) {
    if (performance.now() > limitMs || (child !== undefined && child.exitCode !== null)) {
      await stop();
      throw new Error(`${url.href} does not get healthy`);
    }
    await sleep(100);
  }
  return {
    name: url.host,
    target: { host: url.hostname, port: Number(url.port === '' ? 80 : url.port), payload: payloadOf(peer, payload) },
    healthPath,
    pid: child?.pid,
    pids: () => (child?.pid === undefined ? [] : processTree(child.pid)),
    runs: () => Promise.resolve(undefined),
    stop,
  };
}

function payloadOf({ url, bodyFile, contentType }: PeerOptions, ours: Payload): Payload {
  const path = url.pathname === '/' ? ours.path : url.pathname + url.search;
  if (bodyFile === undefined) return { ...ours, path };
  return { path, headers: { 'content-type': contentType ?? 'application/json' }, body: readFileSync(bodyFile) };
}

async function isHealthy(url: URL): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

async function endGroup(child: ChildProcess | undefined): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  process.kill(-child.pid, 'SIGTERM');
  await ended;
}
