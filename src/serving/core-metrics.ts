import type { CoreEvents } from '../core/events.ts';
import type { Metrics } from '../metrics.ts';
import type { Repository } from '../repository/repository.ts';
import type { Phase } from '../state.ts';
import { queuesOf, type ServedModel } from './served-model.ts';
import { countRun } from './statistics.ts';
import type { TensorCore } from './tickets.ts';

/** A model's name out of its key `name/version#load`. */
export function nameOfKey(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

/** Makes metrics and statistics from events of the core. `find` gives the loaded model of a queue's key. */
export function countCoreEvents(metrics: Metrics, find: (key: string) => ServedModel | undefined): CoreEvents {
  return {
    refused({ modelKey, code, party }) {
      // A job comes again and again: whoever runs it counts it once.
      if (party === 'jobs' && (code === 'QUEUE_FULL' || code === 'WAIT_TOO_LONG')) return;
      // Counts requests, because the items of one that is refused before its body is read are not known.
      metrics.rejects.inc({ model: nameOfKey(modelKey), reason: code });
    },
    started({ modelKey, items, cost, cut, waitsMs }) {
      const model = nameOfKey(modelKey);
      metrics.batchItems.observe({ model }, items);
      metrics.batchCost.inc({ model }, cost);
      metrics.cuts.inc({ model, reason: cut });
      for (const waitMs of waitsMs) metrics.waitSeconds.observe({ model }, waitMs / 1000);
    },
    finished({ modelKey, lane, items, report, wallMs }) {
      metrics.laneBusySeconds.inc({ lane }, wallMs / 1000);
      if (report === undefined) return;
      metrics.runSeconds.observe({ model: nameOfKey(modelKey) }, report.runMs / 1000);
      const model = find(modelKey);
      if (model !== undefined) countRun(model.statistics, { items, ...report });
    },
    left({ modelKey, why, state, items }) {
      metrics.left.inc({ model: nameOfKey(modelKey), why, state }, items);
    },
  };
}

/** Sets the gauges whose values are read at each scrape. */
export function refreshGauges(
  metrics: Metrics,
  { core, repository, phase }: { core: TensorCore; repository: Repository<ServedModel>; phase: Phase },
): void {
  const gauges = [
    metrics.waitingItems,
    metrics.runningItems,
    metrics.permitsUsed,
    metrics.permitsLimit,
    metrics.predictedWaitSeconds,
    metrics.fitSlope,
    metrics.fitBase,
    metrics.phase,
  ];
  for (const gauge of gauges) gauge.reset();
  metrics.phase.set({ phase }, 1);
  const waitsMs = new Map<string, number>();
  for (const model of repository.list()) {
    const labels = { model: model.name };
    for (const key of queuesOf(model)) {
      const depth = core.depth(key);
      metrics.waitingItems.inc(labels, depth.waiting);
      metrics.runningItems.inc(labels, depth.running);
      metrics.permitsUsed.inc(labels, depth.permits);
      metrics.permitsLimit.inc(labels, depth.queueItems);
      waitsMs.set(model.name, Math.max(waitsMs.get(model.name) ?? 0, core.predictedWaitMs(key)));
    }
    const fit = core.fit(model.key);
    if (fit === undefined) continue;
    metrics.fitSlope.set(labels, fit.a / 1000);
    metrics.fitBase.set(labels, fit.b / 1000);
  }
  for (const [model, waitMs] of waitsMs) metrics.predictedWaitSeconds.set({ model }, waitMs / 1000);
}
