import { formsOf, readCommand, type CommandLine, type CommandSpec } from '../config/command.ts';
import { inspectProcessConfig } from '../config/environment.ts';
import type { Config, OptionName } from '../config/options.ts';
import { exitCodeOf, listenToStop } from '../signals.ts';

/** What commands share: telling of bad usage, reading the configuration, signals that stop them. */

/** Reports a mistake on the command line, with the forms of the command. The exit code is 2. */
export function refuse(problem: string, spec: CommandSpec): void {
  console.error(`${problem}\n${formsOf(spec)}\n\`carpool help ${spec.name}\` says more.`);
  process.exitCode = 2;
}

/** The command line of a command that takes so many operands; undefined if it is wrong, which is told with the words for another number of them. */
export function readOrRefuse(
  spec: CommandSpec,
  argv: readonly string[],
  { operands, otherwise }: { readonly operands: number; readonly otherwise: string },
): CommandLine | undefined {
  const line = readCommand(spec, argv);
  const problem = 'problem' in line ? line.problem : line.operands.length === operands ? undefined : otherwise;
  if (problem !== undefined) refuse(problem, spec);
  return problem !== undefined || 'problem' in line ? undefined : line;
}

/** The configuration that flags, environment and carpool.json give; undefined if it has problems, which are printed. Those of `unused`, an option that the command does not use, are none. */
export function readOrTell(argv: readonly string[], unused?: OptionName): Config | undefined {
  const { config, problems } = inspectProcessConfig(argv);
  const told = problems.filter((problem) => unused === undefined || !problem.startsWith(`${unused}:`));
  if (told.length === 0) return config;
  const cure = '`carpool doctor` looks at everything else as well.';
  console.error(['The configuration has problems:', ...told.map((problem) => `  ${problem}`), cure].join('\n'));
  process.exitCode = 2;
  return undefined;
}

const MOST_COLUMNS = 100;

/** Characters in a line of help: as wide as the terminal, up to a width that reads well. */
export function helpColumns(): number {
  const { isTTY, columns } = process.stdout;
  return isTTY && columns > 0 ? Math.min(columns, MOST_COLUMNS) : MOST_COLUMNS;
}

/** Prints a value: as indented JSON, or in words. */
export function print(value: unknown, json: boolean, words: () => string): void {
  console.log(json ? JSON.stringify(value, null, 2) : words());
}

/** A work that the first signal to stop aborts. */
export interface Stoppable {
  readonly signal: AbortSignal;
  /** What has stopped it; undefined: nothing yet. */
  by: NodeJS.Signals | undefined;
}

/** Listens to signals for a work that ends when its own signal is aborted; `why` is told with it. A second one ends the process at once, by default with its code. */
export function stopOnSignal(
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
