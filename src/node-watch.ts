import { systemClock } from './core/clock.ts';
import { findGpus } from './lanes/cuda.ts';
import type { Parts } from './main.ts';
import { NodeFitness } from './salad/fitness.ts';
import { readGpu } from './salad/gpu.ts';
import { limitsFrom } from './salad/judgement.ts';
import { Monitor } from './salad/monitor.ts';
import { openStorage } from './storage/open.ts';

/** Joins the checks of the node, at start and while it serves, with the parts of the server. */

export function createFitness({ services: { config, log }, salad }: Parts): NodeFitness {
  return new NodeFitness({
    config,
    log,
    clock: systemClock,
    imds: salad?.imds,
    openStorage: () => openStorage(config),
  });
}

/** Judges the node from now on, if an option sets a limit. */
export async function watchNode(parts: Parts, fitness: NodeFitness): Promise<void> {
  const { core, services, workers } = parts;
  const { config, log, metrics } = services;
  const limits = limitsFrom(config);
  if (limits === undefined) return;
  const monitor = new Monitor({
    clock: systemClock,
    log,
    limits,
    windowMs: config.NODE_WINDOW_MS,
    readGpu: findGpus().length > 0 ? readGpu : undefined,
    async audioSeconds() {
      const { values } = await metrics.work.get();
      return values.reduce((sum, { labels, value }) => sum + (labels.unit === 'audio_seconds' ? value : 0), 0);
    },
    limitQueues(part) {
      metrics.queuePart.set(part);
      core.limitQueues(part);
      for (const worker of workers) worker.limit(part);
    },
    giveUp: (reason) => fitness.giveUp(reason),
  });
  parts.monitor = monitor;
  metrics.queuePart.set(1);
  await monitor.start();
}
