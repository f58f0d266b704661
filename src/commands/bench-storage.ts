import { exitCodeOf } from '../signals.ts';
import { measuredText } from '../storage/bench-command.ts';
import { BENCH_STORAGE, benchFlags } from '../storage/bench-flags.ts';
import { StorageError } from '../storage/storage.ts';
import { readOrTell, refuse, stopOnSignal } from './host.ts';

/** `carpool bench-storage`. */
export async function benchStorage(argv: readonly string[]): Promise<void> {
  const flags = benchFlags(argv);
  if ('problem' in flags) {
    refuse(flags.problem, BENCH_STORAGE);
    return;
  }
  const config = readOrTell(flags.rest, 'MODELS_DIR');
  if (config === undefined) return;
  const stop = stopOnSignal();
  try {
    console.log(await measuredText(config, flags, stop.signal));
  } catch (error) {
    console.error(
      error instanceof Error && (error instanceof StorageError || stop.signal.aborted) ? error.message : error,
    );
    process.exitCode = stop.by === undefined ? 1 : exitCodeOf(stop.by);
  }
}
