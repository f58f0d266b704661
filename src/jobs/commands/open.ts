import { commandEnvironment } from '../../config/environment.ts';
import type { Config } from '../../config/options.ts';
import { systemClock } from '../../core/clock.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import { countStorage } from '../../storage/metrics.ts';
import { openStorage } from '../../storage/open.ts';
import { Commands, type CommandsParts } from './runner.ts';

interface Services extends Pick<CommandsParts, 'node'> {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What runs the commands of jobs; undefined where JOB_COMMANDS allows none. Rejects if their folders cannot be used. */
export function openCommands({ config, log, metrics, node }: Services): Promise<Commands | undefined> {
  const storage = openStorage(config, { events: countStorage(metrics) });
  const onBacklog = (files: number): void => metrics.commandBacklog.set(files);
  const environment = commandEnvironment();
  return Commands.open({ config, storage, clock: systemClock, log, environment, onBacklog, node });
}
