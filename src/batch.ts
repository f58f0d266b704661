import type { Config } from './config/options.ts';
import { originOf } from './config/read.ts';
import { systemClock } from './core/clock.ts';
import { messageOf } from './errors.ts';
import { jobsAhead } from './jobs/ahead.ts';
import { checkFiles, startBatch, type Batch } from './jobs/file/batch.ts';
import { showProgress } from './jobs/file/display.ts';
import type { BatchFlags } from './jobs/file/flags.ts';
import { openMap } from './jobs/map/job-map.ts';
import { JobRunner } from './jobs/run-job.ts';
import { startEngine, type Engine } from './lifecycle.ts';
import { createLogs } from './log.ts';

/** `carpool batch`: the server without HTTP, for the lines of a file. */

export interface BatchHost {
  readonly stdout: Pick<NodeJS.WriteStream, 'write'>;
  readonly stderr: NodeJS.WriteStream;
  /** Stops the batch in order: what has begun is finished. */
  readonly signal: AbortSignal;
}

/** Resolves with whether every line has its result; says what hinders it on stderr. */
export async function runBatch(config: Config, flags: BatchFlags, host: BatchHost): Promise<boolean> {
  const { stderr } = host;
  const tell = (text: string): void => void stderr.write(`${text}\n`);
  try {
    // Before models are loaded, which takes its time.
    await checkFiles(flags);
  } catch (error) {
    tell(messageOf(error));
    return false;
  }
  // Only what goes wrong, and not among results that go to stdout.
  const level = originOf(config, 'LOG_LEVEL') === 'default' ? 'warn' : config.LOG_LEVEL;
  const logs = createLogs({ level, pretty: stderr.isTTY, stream: stderr });
  const engine = startEngine(config, logs);
  let isWhole = false;
  try {
    await engine.started;
    isWhole = await run(engine, flags, host);
  } catch (error) {
    tell(messageOf(error));
  }
  await engine.drain();
  return isWhole;
}

async function run({ services }: Engine, flags: BatchFlags, host: BatchHost): Promise<boolean> {
  const { stdout, stderr, signal } = host;
  const { config, door, log, state } = services;
  const batch = await startBatch(flags, {
    runner: new JobRunner({
      door,
      clock: systemClock,
      log,
      timeoutMs: config.JOB_TIMEOUT_MS,
      rejects: services.metrics.rejects,
      places: services.jobPlaces,
    }),
    clock: systemClock,
    log,
    most: jobsAhead(services.repository, services.plan().lanes),
    prefetch: config.JOB_PREFETCH,
    lineLimitBytes: config.BODY_LIMIT_BYTES,
    map: await openMap(config).catch((error: unknown) => {
      throw new Error(`JOB_MAP: ${messageOf(error)}`, { cause: error });
    }),
  });
  if (batch.firstLine > 1) stderr.write(`going on at line ${batch.firstLine}\n`);
  state.onChange(() => batch.giveUp());
  stopOn(signal, batch, config.DRAIN_GRACE_MS);
  const hide = showProgress(stderr, () => batch.progress());
  try {
    const isWhole = await batch.ended;
    if (!isWhole) stderr.write('\nstopped; run it again, it goes on where it stopped\n');
    return isWhole;
  } finally {
    hide();
    const { answered, failed } = batch.progress();
    if (flags.json)
      stdout.write(`${JSON.stringify({ answered, failed, isWhole: await batch.ended.catch(() => false) })}\n`);
  }
}

/** Jobs that are at a lane wait for nothing else: they have the grace to end. */
function stopOn(signal: AbortSignal, batch: Batch, graceMs: number): void {
  const stop = (): void => {
    batch.stop();
    setTimeout(() => batch.giveUp(), graceMs).unref();
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
}
