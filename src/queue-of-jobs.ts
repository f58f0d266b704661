import { systemClock } from './core/clock.ts';
import { jobsAhead } from './jobs/ahead.ts';
import { openBoard } from './jobs/boards.ts';
import { openCommands } from './jobs/commands/open.ts';
import type { Commands } from './jobs/commands/runner.ts';
import { LocalSource } from './jobs/local/source.ts';
import { openMap, type JobMap } from './jobs/map/job-map.ts';
import type { JobSource } from './jobs/source.ts';
import { openSource } from './jobs/sources.ts';
import { JobWorker } from './jobs/worker.ts';
import type { Parts } from './main.ts';
import { cannotStart } from './start-error.ts';

/** Joins queues of jobs with the parts of the server. */

/** A queue of jobs, and what some of them need. */
export interface Queue {
  readonly source: JobSource;
  readonly commands?: Commands | undefined;
  readonly map?: JobMap | undefined;
}

/** Opens what JOB_SOURCE names, also for jobs of clients. Rejects with a StartError that names the option; then nothing stays open. */
export async function openQueue(parts: Parts): Promise<Queue> {
  const { services, salad, outbox } = parts;
  const { config, log } = services;
  const noQueue = cannotStart(`JOB_SOURCE=${config.JOB_SOURCE}`);
  let map: JobMap | undefined;
  let commands: Commands | undefined;
  let source: JobSource | undefined;
  try {
    map = await openMap(config).catch(cannotStart('JOB_MAP'));
    commands = await openCommands(services).catch(cannotStart('JOB_COMMANDS'));
    source = await openSource({ config, log, salad: salad?.imds }).catch(noQueue);
    parts.board = await openBoard({ config, log, outbox }).catch(noQueue);
    log.info({ source: source.name, queue: config.JOB_QUEUE }, 'the source of jobs is there');
    return { source, commands, map };
  } catch (error) {
    await closeQueue({ source, commands, map });
    throw error;
  }
}

/** Closes what there is of a queue that is not to be pulled. */
export async function closeQueue({
  source,
  commands,
  map,
}: { [Part in keyof Queue]: Queue[Part] | undefined }): Promise<void> {
  await Promise.all([source?.close(), map?.close(), commands?.close()]);
}

/** Begins to pull jobs, unless the server has been asked to stop in the meantime. */
export async function pullJobs(queue: Queue, parts: Parts): Promise<void> {
  const { source, commands, map } = queue;
  const { config, door, log, metrics, repository, state, plan, node, jobPlaces, tracer } = parts.services;
  if (state.phase !== 'ready') {
    await closeQueue(queue);
    return;
  }
  // Commands run one at a time, and what is held for hours cannot be had by another server.
  const most = commands === undefined ? (source.most ?? jobsAhead(repository, plan().lanes)) : 1;
  // Jobs of JOBS_DIR have their messages stored with their results.
  const outbox = source instanceof LocalSource ? undefined : parts.outbox;
  const worker = new JobWorker({
    source,
    door,
    clock: systemClock,
    log,
    metrics,
    config,
    commands,
    most,
    node,
    tracer,
    places: jobPlaces,
    map,
    outbox,
  });
  parts.workers.push(worker);
  const named = source.name === config.JOB_SOURCE ? { queue: config.JOB_QUEUE } : {};
  log.info({ source: source.name, ...named, most }, 'pulling jobs');
  // Nothing but a restart brings the source back.
  worker.ended.catch(() => state.enter('failed', 'the source of jobs is gone')).finally(() => void commands?.close());
}
