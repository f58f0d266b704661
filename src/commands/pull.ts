import { pulledText, pullOne } from '../hub/command.ts';
import { PULL, pullFlags } from '../hub/flags.ts';
import { HubError } from '../hub/hub-error.ts';
import { exitCodeOf } from '../signals.ts';
import { print, readOrTell, refuse, stopOnSignal } from './host.ts';

/** How long a stopped pull may take: a disk that does not answer must not keep the process alive. */
const LAST_STEPS_MS = 10_000;

/** `carpool pull`. */
export async function pull(argv: readonly string[]): Promise<void> {
  const given = pullFlags(argv);
  if ('problem' in given) {
    refuse(given.problem, PULL);
    return;
  }
  const config = readOrTell(given.flags);
  if (config === undefined) return;
  const stop = stopOnSignal((signal) => {
    setTimeout(() => process.exit(exitCodeOf(signal)), LAST_STEPS_MS).unref();
    return new Error(`stopped by ${signal}; run it again, it goes on where it stopped`);
  });
  try {
    const pulled = await pullOne(config, process.stderr, stop.signal);
    print(pulled, given.json, () => pulledText(pulled));
  } catch (error) {
    console.error(error instanceof Error && (error instanceof HubError || stop.signal.aborted) ? error.message : error);
    process.exitCode = stop.by === undefined ? 1 : exitCodeOf(stop.by);
  }
}
