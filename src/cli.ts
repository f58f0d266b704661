#!/usr/bin/env node
import { ConfigError, readProcessConfig, type Config } from './config.ts';
import { startServer, StartError, type CarpoolServer } from './main.ts';
import { helpText } from './options-help.ts';
import { VERSION } from './version.ts';

/**
 * `carpool serve`. Exit codes: 0 after a drain that finished everything, 1 when the server could not start, 2 for bad
 * configuration or usage; a failed server, and a drain whose grace ran out, end by SIGKILL (as PID 1 by an abort), because a
 * lane may be busy and an orderly exit would wait for it.
 */

const USAGE = 'Usage: carpool serve [flags] | carpool --version | carpool serve --help';

async function main(argv: readonly string[]): Promise<void> {
  const [command, ...rest] = argv;
  if (command === '--version') console.log(VERSION);
  else if (command === 'serve' && rest.includes('--help')) console.log(helpText());
  else if (command === 'serve') await serve(rest);
  else if (command === '--help' || command === undefined) console.log(USAGE);
  else {
    console.error(`${command}: there is no such command\n${USAGE}`);
    process.exitCode = 2;
  }
}

async function serve(argv: readonly string[]): Promise<void> {
  let config: Config;
  try {
    config = readProcessConfig(argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(['The configuration has problems:', ...error.problems.map((problem) => `  ${problem}`)].join('\n'));
    process.exitCode = 2;
    return;
  }
  const server = await startServer(config);
  endWhenFailed(server, config.FAILED_GRACE_MS);
  stopOnSignals(server);
  try {
    await server.started;
  } catch (error) {
    if (server.state.phase === 'draining') return;
    console.error(error instanceof StartError ? `The server could not start:\n${error.message}` : error);
    process.exit(1);
  }
}

function endWhenFailed(server: CarpoolServer, graceMs: number): void {
  server.state.onChange((phase) => {
    if (phase === 'failed') setTimeout(() => kill(server), graceMs);
  });
  for (const event of ['uncaughtException', 'unhandledRejection'])
    process.on(event, (error: unknown) => {
      console.error(error);
      server.state.enter('failed', 'an error nobody caught');
    });
}

/** Nothing else surely ends a process with a busy lane, and the platform sees that it did not end well. */
function kill(server: CarpoolServer): void {
  server.flushLogs();
  process.kill(process.pid, 'SIGKILL');
  // The kernel keeps SIGKILL from PID 1 of a container when it is its own; nothing keeps an abort.
  process.abort();
}

function stopOnSignals(server: CarpoolServer): void {
  let signals = 0;
  const stop = (): void => {
    signals += 1;
    // Whoever asks twice does not want to wait.
    if (signals > 1) kill(server);
    else
      server.drain().then(
        (finished) => (finished ? process.exit(0) : kill(server)),
        (error: unknown) => {
          console.error(error);
          kill(server);
        },
      );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
