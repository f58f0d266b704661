import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endWithParent } from './child.ts';

export interface ServerProcess {
  readonly port: number;
  /** Undefined without PROBE_PORT. */
  readonly probePort: number | undefined;
  readonly pid: number;
  /** Which lanes the server chose, and why, in its own words. */
  lanes(): Promise<string>;
  /** The text of /metrics. */
  metrics(): Promise<string>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
}

const START_LIMIT_MS = 120_000;

/**
 * Starts `carpool serve` on a free port of the loopback and waits until it is ready. It logs as in production (info), to a temporary
 * file, so that nobody's time goes into reading it. `cli` is the file of another build. Throws a plain Error with the end of the log when it does not get ready.
 */
export async function startServer(
  options: Readonly<Record<string, string>>,
  cli: string = fileURLToPath(new URL('../src/cli.js', import.meta.url)),
): Promise<ServerProcess> {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-bench-log-'));
  const logFile = path.join(folder, 'log');
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, [cli, 'serve'], {
    env: {
      ...process.env,
      HOST: '127.0.0.1',
      ALLOWED_HOSTS: 'bench',
      PORT: '0',
      LOG_LEVEL: 'info',
      LOG_FORMAT: 'json',
      ...options,
    },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = once(child, 'exit');
  endWithParent(() => child.kill());
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const deadlineMs = performance.now() + START_LIMIT_MS;
  while (child.exitCode === null && performance.now() < deadlineMs) {
    const ports = readPorts(readFileSync(logFile, 'utf8'));
    const port = ports?.port;
    if (port !== undefined && (await isReady(port)))
      return {
        port,
        probePort: ports?.probePort,
        pid: child.pid ?? 0,
        lanes: async () => {
          const response = await fetch(`http://127.0.0.1:${port}/info`);
          const { plan } = (await response.json()) as { plan?: { why?: string } };
          return plan?.why ?? 'unknown lanes';
        },
        metrics: async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
        stop,
      };
    await sleep(50);
  }
  const end = readFileSync(logFile, 'utf8').slice(-2000);
  await stop();
  throw new Error(`the server did not get ready:\n${end}`);
}

/** The ports of the log line `listening`, if it is there. */
export function readPorts(log: string): { readonly port: number; readonly probePort: number | undefined } | undefined {
  // The last piece is not a whole line yet.
  for (const line of log.split('\n').slice(0, -1)) {
    if (!line.includes('"listening"')) continue;
    const { msg, port, probePort } = JSON.parse(line) as { msg?: unknown; port?: unknown; probePort?: number };
    if (msg === 'listening' && typeof port === 'number') return { port, probePort };
  }
  return undefined;
}

async function isReady(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/ready`);
  await response.arrayBuffer();
  return response.ok;
}
