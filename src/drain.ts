import { setTimeout as sleep } from 'node:timers/promises';
import { ServerError } from './errors.ts';
import type { JobWorker } from './jobs/worker.ts';
import type { Parts } from './main.ts';

/** Replies that are being written, and jobs that are being given back, may take this long; then their connections are closed. */
export const LAST_WRITES_MS = 2000;

export interface Drain {
  readonly started: Promise<void>;
  readonly why: string | undefined;
  readonly close?: () => Promise<void>;
}

/** Finishes what was admitted within the grace, then closes everything. Resolves with whether all was finished. */
export async function drain(parts: Parts, { started, why = 'asked to stop', close }: Drain): Promise<boolean> {
  const { services, core, cpu, lanes, trials } = parts;
  const { config, state, repository, metrics, log } = services;
  state.enter('draining', why);
  for (const worker of parts.workers) worker.stop();
  trials.close();
  // A lane that is loading a model is as busy as one that runs it.
  const loaded = Promise.all([
    repository.close(),
    started.catch(() => undefined),
    parts.loading?.catch(() => undefined),
  ]);
  const idle = loaded
    .then(() => Promise.all([core.idle(), ...parts.workers.map(({ ended }) => ended.catch(() => undefined))]))
    .then(() => lanes.idle());
  const finished = await Promise.race([idle.then(() => true), sleep(config.DRAIN_GRACE_MS, false, { ref: false })]);
  if (!finished) {
    log.error({ busy: lanes.busy, graceMs: config.DRAIN_GRACE_MS }, 'the grace to finish work has run out');
    core.failAll(new ServerError('DRAINING'), { running: true });
    await Promise.all(parts.workers.map(giveUp));
  }
  services.live.close();
  await close?.();
  await parts.outbox.close();
  await parts.kept?.close();
  await parts.board?.close();
  await services.storage.close();
  await services.tracer?.close(LAST_WRITES_MS);
  metrics.stop();
  parts.monitor?.stop();
  await parts.salad?.close();
  if (finished) await Promise.all([lanes.close(), cpu.close()]);
  log.info({ finished }, 'stopped');
  return finished;
}

async function giveUp(worker: JobWorker): Promise<void> {
  worker.giveUp();
  await Promise.race([worker.ended.catch(() => undefined), sleep(LAST_WRITES_MS, undefined, { ref: false })]);
}
