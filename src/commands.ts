import { setTimeout as sleep } from 'node:timers/promises';
import { runBatch } from './batch.ts';
import { installEnvironment, isRunByNpm, readProcessConfig } from './config/environment.ts';
import { HASH_KEY_USAGE, hashKey } from './config/hash-key.ts';
import { ConfigError } from './config/option.ts';
import type { Config } from './config/options.ts';
import { PULL_USAGE, pullFlags, pullOne } from './hub/command.ts';
import { HubError } from './hub/hub-error.ts';
import { BATCH_USAGE, batchFlags } from './jobs/file/flags.ts';
import { INSTALL_CUDA_USAGE, installCuda } from './lanes/install-cuda.ts';
import { startServer, type CarpoolServer } from './lifecycle.ts';
import { StartError } from './start-error.ts';
import { endBy, exitCodeOf, listenToStop, onParentEnd } from './signals.ts';
import { LIST_USAGE, RM_USAGE, listCommand, modelsFlags, removeCommand } from './models-command.ts';
import { RUN_USAGE, runCommand, runFlags } from './run-command.ts';
import { messageOf } from './errors.ts';
import { helpText } from './config/help.ts';
import { nearName } from './near-name.ts';
import { BENCH_STORAGE_USAGE, benchFlags, benchStorage } from './storage/bench-command.ts';
import { StorageError } from './storage/storage.ts';
import { text as textOf } from 'node:stream/consumers';
import { VERSION } from './version.ts';

/**
 * `carpool serve` and `carpool pull`. Exit codes of `serve`: 0 after a drain that finished everything, 1 when the server could not start, 2 for bad
 * configuration or usage; a failed server, and a drain whose grace ran out, end by SIGKILL (as PID 1 by an abort), because a
 * lane may be busy and an orderly exit would wait for it. Of `pull`: 0 when the model is there, 1 when it could not be fetched, 2 for
 * bad usage, 128 and the number of the signal that stopped it. A stopped `batch` ends by the signal itself, and so does `serve` as the command of a Kelpie job.
 */

const USAGE = [
  'Usage: carpool serve [flags]             serves the models of a folder',
  '       carpool work [flags]              serves the jobs of a queue (JOB_SOURCE), and probes',
  '       carpool batch <requests.jsonl> -o <results.jsonl>    answers the lines of a file',
  '       carpool pull hf:<owner>/<name>    brings a model from a hub into that folder',
  '       carpool list                      shows the models of that folder',
  '       carpool rm <model>                deletes one',
  '       carpool run <model> [input]       asks one, or talks with it',
  '       carpool bench-storage s3://<bucket>/<prefix>    measures how fast a storage is reached',
  '       carpool hash-key [name]           makes an API key, or the hash of one',
  '       carpool install-cuda              fetches what models need to run on an NVIDIA GPU',
  '       carpool --version',
  '`carpool <command> --help` says more.',
].join('\n');

interface Command {
  readonly help: () => string;
  readonly run: (argv: readonly string[]) => Promise<void>;
}

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['serve', { help: () => helpText('serve'), run: serve }],
  ['work', { help: () => helpText('work'), run: work }],
  ['batch', { help: () => BATCH_USAGE, run: batch }],
  ['pull', { help: () => PULL_USAGE, run: pull }],
  ['list', { help: () => LIST_USAGE, run: list }],
  ['rm', { help: () => RM_USAGE, run: remove }],
  ['run', { help: () => RUN_USAGE, run: runModel }],
  ['bench-storage', { help: () => BENCH_STORAGE_USAGE, run: measure }],
  ['hash-key', { help: () => HASH_KEY_USAGE, run: tellHash }],
  ['install-cuda', { help: () => INSTALL_CUDA_USAGE, run: bringCuda }],
]);

/** Runs a command. Prints what goes wrong and sets the exit code; throws unexpected errors. */
export async function main(argv: readonly string[]): Promise<void> {
  const [name = '--help', ...rest] = argv;
  const command = COMMANDS.get(name);
  if (name === '--version' || name === '-v') console.log(VERSION);
  else if (['--help', '-h', 'help'].includes(name)) console.log(USAGE);
  else if (command === undefined) {
    const near = nearName(name, COMMANDS.keys());
    refuse(`${name}: there is no such command${near === undefined ? '' : `. Did you mean ${near}?`}`, USAGE);
  } else if (rest.includes('--help') || rest.includes('-h')) console.log(command.help());
  else await command.run(rest);
}

/** Reports a mistake on the command line, with the usage. */
function refuse(problem: string, usage: string): void {
  console.error(`${problem}\n${usage}`);
  process.exitCode = 2;
}

async function tellHash(argv: readonly string[]): Promise<void> {
  const [name = 'key', other] = argv;
  if (other !== undefined || !/^[\w.-]{1,64}$/.test(name)) {
    refuse('hash-key takes one name, of letters, digits, dots, hyphens and underscores', HASH_KEY_USAGE);
    return;
  }
  const given = process.stdin.isTTY ? '' : await textOf(process.stdin);
  console.log(hashKey(name, given === '' ? undefined : given));
}

async function bringCuda(argv: readonly string[]): Promise<void> {
  const [other] = argv;
  if (other === undefined) console.log(await installCuda(installEnvironment()));
  else refuse(`${other}: install-cuda takes no arguments`, INSTALL_CUDA_USAGE);
}

/** The configuration that flags, environment and carpool.json give; undefined if it has problems, which are printed. */
function readOrTell(argv: readonly string[]): Config | undefined {
  try {
    return readProcessConfig(argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(['The configuration has problems:', ...error.problems.map((problem) => `  ${problem}`)].join('\n'));
    process.exitCode = 2;
    return undefined;
  }
}

async function pull(argv: readonly string[]): Promise<void> {
  const given = pullFlags(argv);
  if ('problem' in given) {
    refuse(given.problem, PULL_USAGE);
    return;
  }
  const config = readOrTell(given.flags);
  if (config === undefined) return;
  const stop = stopOnSignal((signal) => {
    // A disk that does not answer must not keep the process alive.
    setTimeout(() => process.exit(exitCodeOf(signal)), LAST_STEPS_MS).unref();
    return new Error(`stopped by ${signal}; run it again, it goes on where it stopped`);
  });
  try {
    console.log(await pullOne(config, process.stderr, stop.signal));
  } catch (error) {
    console.error(error instanceof Error && (error instanceof HubError || stop.signal.aborted) ? error.message : error);
    process.exitCode = stop.by === undefined ? 1 : exitCodeOf(stop.by);
  }
}

/** A work that the first signal to stop aborts. */
interface Stoppable {
  readonly signal: AbortSignal;
  /** What has stopped it; undefined: nothing yet. */
  by: NodeJS.Signals | undefined;
}

/** Listens to signals for a work that ends when its own signal is aborted; `why` is told with it. A second one ends the process at once, by default with its code. */
function stopOnSignal(
  why: (signal: NodeJS.Signals) => Error | undefined = (signal) => new Error(`stopped by ${signal}`),
  onInsist: (signal: NodeJS.Signals) => void = (signal) => process.exit(exitCodeOf(signal)),
): Stoppable {
  const stop = new AbortController();
  const stoppable: Stoppable = { signal: stop.signal, by: undefined };
  listenToStop({
    onStop(signal) {
      stoppable.by = signal;
      stop.abort(why(signal));
    },
    onInsist,
  });
  return stoppable;
}

async function list(argv: readonly string[]): Promise<void> {
  const flags = modelsFlags(argv, 0);
  const config = 'problem' in flags ? undefined : readOrTell(flags.rest);
  if ('problem' in flags) refuse(flags.problem, LIST_USAGE);
  else if (config !== undefined) console.log(await listCommand(config, flags));
}

async function remove(argv: readonly string[]): Promise<void> {
  const flags = modelsFlags(argv, 1);
  const config = 'problem' in flags ? undefined : readOrTell(flags.rest);
  if ('problem' in flags) refuse(flags.problem, RM_USAGE);
  else if (config !== undefined) console.log(await removeCommand(config, flags));
}

async function runModel(argv: readonly string[]): Promise<void> {
  const flags = runFlags(argv);
  if ('problem' in flags) {
    refuse(flags.problem, RUN_USAGE);
    return;
  }
  const config = readOrTell(flags.rest);
  if (config === undefined) return;
  const stop = stopOnSignal();
  const { stdin, stdout, stderr } = process;
  try {
    await runCommand(config, flags, { stdin, stdout, stderr, signal: stop.signal });
  } catch (error) {
    if (stop.by === undefined) console.error(messageOf(error));
    process.exit(stop.by === undefined ? 1 : exitCodeOf(stop.by));
  }
  process.exit(stop.by === undefined ? 0 : exitCodeOf(stop.by));
}

async function batch(argv: readonly string[]): Promise<void> {
  const flags = batchFlags(argv);
  if ('problem' in flags) {
    refuse(flags.problem, BATCH_USAGE);
    return;
  }
  const config = readOrTell(flags.rest);
  if (config === undefined) return;
  const stop = stopOnSignal(
    () => undefined,
    // The results are safe: what follows the last checkpoint is done again.
    () => process.kill(process.pid, 'SIGKILL'),
  );
  const isWhole = await runBatch(config, flags, { stderr: process.stderr, signal: stop.signal });
  if (stop.by !== undefined && !isWhole) endBy(stop.by);
  process.exit(isWhole ? 0 : 1);
}

async function measure(argv: readonly string[]): Promise<void> {
  const flags = benchFlags(argv);
  if ('problem' in flags) {
    refuse(flags.problem, BENCH_STORAGE_USAGE);
    return;
  }
  const config = readOrTell(flags.rest);
  if (config === undefined) return;
  const stop = stopOnSignal();
  try {
    console.log(await benchStorage(config, flags, stop.signal));
  } catch (error) {
    console.error(
      error instanceof Error && (error instanceof StorageError || stop.signal.aborted) ? error.message : error,
    );
    process.exitCode = stop.by === undefined ? 1 : exitCodeOf(stop.by);
  }
}

async function serve(argv: readonly string[]): Promise<void> {
  const config = readOrTell(argv);
  if (config !== undefined) await run(config);
}

async function work(argv: readonly string[]): Promise<void> {
  const config = readOrTell(['--no-inference-api', ...argv]);
  if (config?.JOB_SOURCE === 'none') refuse('Say where the jobs are: JOB_SOURCE=kelpie, nats, redis or sqs', USAGE);
  else if (config !== undefined) await run(config);
}

/** Runs a server until it is stopped or fails. */
async function run(config: Config): Promise<void> {
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

/** Limit of what comes after a drain's grace (closing connections and threads), and after the stop of a pull. Then the process ends anyway. */
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
