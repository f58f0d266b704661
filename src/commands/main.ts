import { VERSION } from '../version.ts';
import { findCommand } from './specs.ts';

/** From a command line to what runs it. Each command is imported when it is wanted: `serve` needs a third of a second for that, the others less. */

type Run = (argv: readonly string[]) => Promise<void>;

const RUNS: Readonly<Record<string, () => Promise<Run>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  work: async () => (await import('./serve.ts')).work,
  batch: async () => (await import('./batch.ts')).batch,
  pull: async () => (await import('./pull.ts')).pull,
  list: async () => (await import('./models.ts')).list,
  show: async () => (await import('./show.ts')).show,
  ps: async () => (await import('./ps.ts')).ps,
  rm: async () => (await import('./models.ts')).remove,
  run: async () => (await import('./run.ts')).run,
  doctor: async () => (await import('./doctor.ts')).doctor,
  bench: async () => (await import('./bench.ts')).bench,
  tune: async () => (await import('./tune.ts')).tune,
  'bench-storage': async () => (await import('./bench-storage.ts')).benchStorage,
  'hash-key': async () => (await import('./small.ts')).tellHash,
  'install-cuda': async () => (await import('./install-cuda.ts')).bringCuda,
  completion: async () => (await import('./completion.ts')).completion,
  help: async () => (await import('./small.ts')).help,
};

/** Runs a command. Prints what goes wrong and sets the exit code; throws unexpected errors. */
export async function main(argv: readonly string[]): Promise<void> {
  const [name = '--help', ...rest] = argv;
  if (['--version', '-v', '-V', 'version'].includes(name)) {
    console.log(VERSION);
    return;
  }
  const isHelp = name === '--help' || name === '-h';
  const spec = findCommand(isHelp ? 'help' : name);
  const { helpOf, refuseCommand } = await import('./small.ts');
  const load = spec === undefined ? undefined : RUNS[spec.name];
  if (spec === undefined || load === undefined) refuseCommand(name, rest);
  else if (rest.includes('--help') || rest.includes('-h')) await helpOf(spec.name);
  else await (await load())(isHelp ? [] : rest);
}
