import { runBatch } from '../batch.ts';
import { BATCH, batchFlags } from '../jobs/file/flags.ts';
import { endBy } from '../signals.ts';
import { readOrTell, refuse, stopOnSignal } from './host.ts';

/** `carpool batch`. Stopped, it ends by the signal itself. */
export async function batch(argv: readonly string[]): Promise<void> {
  const flags = batchFlags(argv);
  if ('problem' in flags) {
    refuse(flags.problem, BATCH);
    return;
  }
  const config = readOrTell(flags.rest);
  if (config === undefined) return;
  const stop = stopOnSignal(
    () => undefined,
    // The results are safe: what follows the last checkpoint is done again.
    () => process.kill(process.pid, 'SIGKILL'),
  );
  const { stdout, stderr } = process;
  const isWhole = await runBatch(config, flags, { stdout, stderr, signal: stop.signal });
  if (stop.by !== undefined && !isWhole) endBy(stop.by);
  process.exit(isWhole ? 0 : 1);
}
