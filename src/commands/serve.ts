import { setTimeout as sleep } from 'node:timers/promises';
import { isRunByNpm } from '../config/environment.ts';
import type { Config } from '../config/options.ts';
import type { CarpoolServer } from '../lifecycle.ts';
import { endBy, listenToStop, onParentEnd } from '../signals.ts';
import { StartError } from '../start-error.ts';
import { readOrTell, refuse } from './host.ts';
import { WORK } from './specs.ts';

/**
 * `carpool serve` and `carpool work`. Exit codes: 0 after a drain that finished everything, 1 when the server could not start, 2 for bad
 * configuration or usage; a failed server, and a drain whose grace ran out, end by SIGKILL (as PID 1 by an abort), because a
 * lane may be busy and an orderly exit would wait for it. As the command of a Kelpie job a stopped server ends by the signal itself.
 */

/** `carpool serve`. */
export async function serve(argv: readonly string[]): Promise<void> {
  const config = readOrTell(argv);
  if (config !== undefined) await run(config);
}

/** `carpool work`. */
export async function work(argv: readonly string[]): Promise<void> {
  const config = readOrTell(['--no-inference-api', ...argv]);
  if (config?.JOB_SOURCE === 'none') refuse('Say where the jobs are: JOB_SOURCE=kelpie, nats, redis or sqs', WORK);
  else if (config !== undefined) await run(config);
}

/** Runs a server until it is stopped or fails. */
async function run(config: Config): Promise<void> {
  // Only now: a mistake in the configuration is told without waiting for ONNX Runtime.
  const { startServer } = await import('../lifecycle.ts');
  const server = await startServer(config);
  endWhenFailed(server, config.FAILED_GRACE_MS);
  stopOnSignals(server, config);
  try {
    await server.started;
    const report = server.report();
    if (report !== undefined) {
      await server.flushLogs();
      console.log(report);
    }
  } catch (error) {
    if (server.state.phase === 'draining') return;
    console.error(error instanceof StartError ? `The server could not start:\n${error.message}` : error);
    // Ending while a lane's thread is in ONNX Runtime would abort the process, with another exit code.
    await Promise.race([server.drain('it could not start').catch(() => undefined), sleep(LAST_STEPS_MS)]);
    await server.flushLogs();
    process.exit(1);
  }
}

function endWhenFailed(server: CarpoolServer, graceMs: number): void {
  server.state.onChange((phase) => {
    if (phase === 'failed') setTimeout(() => void kill(server), graceMs);
  });
  for (const event of ['uncaughtException', 'unhandledRejection'])
    process.on(event, (error: unknown) => {
      console.error(error);
      server.state.enter('failed', 'an uncaught error');
    });
}

/** Only SIGKILL surely ends a process with a busy lane, and it tells the platform that the end was not in order. */
async function kill(server: CarpoolServer): Promise<void> {
  await server.flushLogs();
  process.kill(process.pid, 'SIGKILL');
  // The kernel ignores a SIGKILL that PID 1 of a container sends to itself, but not an abort.
  process.abort();
}

/** Limit of what comes after a drain's grace (closing connections and threads). Then the process ends anyway. */
const LAST_STEPS_MS = 10_000;

type StopConfig = Pick<Config, 'DRAIN_GRACE_MS' | 'KELPIE_JOB_ID'>;

function stopOnSignals(server: CarpoolServer, config: StopConfig): void {
  listenToStop({
    onStop: (signal) => void drainAndEnd(server, signal, config),
    onInsist: () => void kill(server),
  });
  if (isRunByNpm())
    onParentEnd(() => {
      // Ctrl-C reaches shell and server alike.
      if (server.state.phase !== 'draining') void drainAndEnd(server, 'SIGTERM', config);
    });
}

async function drainAndEnd(server: CarpoolServer, signal: NodeJS.Signals, config: StopConfig): Promise<void> {
  setTimeout(() => void kill(server), config.DRAIN_GRACE_MS + LAST_STEPS_MS).unref();
  try {
    if (await server.drain()) {
      await server.flushLogs();
      // To Kelpie's worker, code 0 after a cancellation means that the job is completed, and any other one that it has failed.
      if (config.KELPIE_JOB_ID !== '') endBy(signal);
      process.exit(0);
    }
    await kill(server);
  } catch (error) {
    console.error(error);
    await kill(server);
  }
}
