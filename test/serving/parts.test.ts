import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../src/metrics.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { countCoreEvents, nameOfKey } from '../../src/serving/core-metrics.ts';
import { countFailure, countRun, countSuccess, createStatistics } from '../../src/serving/statistics.ts';
import { addTicket, emptyTiming } from '../../src/serving/timing.ts';

test('a cancellation ends work under way once, and later work at once; it forgets work that is over', () => {
  const cancellation = new Cancellation();
  const told: string[] = [];
  const work = (name: string, then?: () => void) => ({
    cancel() {
      told.push(name);
      then?.();
    },
  });
  const over = [work('over'), work('over')];
  for (const one of over) cancellation.add(one);
  cancellation.add(work('a'));
  for (const one of over) cancellation.remove(one);
  cancellation.add(work('b', () => cancellation.cancel()));
  assert.equal(cancellation.size, 2);
  assert.deepEqual([cancellation.cancelled, told], [false, []]);
  cancellation.cancel();
  cancellation.cancel();
  cancellation.add(work('late'));
  assert.deepEqual([cancellation.cancelled, cancellation.size], [true, 0]);
  assert.deepEqual(told.sort(), ['a', 'b', 'late']);
});

test('refusals count requests, because the items of a refused request may be unknown', async () => {
  const metrics = createMetrics();
  metrics.stop();
  const { refused } = countCoreEvents(metrics, () => undefined);
  refused?.({ modelKey: 'm/1#1', code: 'QUEUE_FULL', items: 50, party: 'clients' });
  assert.match(await metrics.registry.metrics(), /^carpool_rejects_total\{model="m",reason="QUEUE_FULL"\} 1$/m);
});

test('of several tickets the longest of each time counts, and every lane is named', () => {
  const timing = emptyTiming();
  addTicket(timing, { queueMs: 5, stackMs: 1, runMs: 10, splitMs: 1, batchItems: 4, lane: 1 });
  addTicket(timing, { queueMs: 2, stackMs: 3, runMs: 20, splitMs: 0, batchItems: 2, lane: 0 });
  assert.deepEqual(timing, {
    prepareMs: 0,
    queueMs: 5,
    stackMs: 3,
    runMs: 20,
    splitMs: 1,
    finishMs: 0,
    batchItems: 4,
    totalMs: 0,
    loadMs: 0,
    lanes: new Set([1, 0]),
  });
});

test('statistics: nanoseconds, one count of each per request, and runs by their size', () => {
  const statistics = createStatistics();
  countRun(statistics, { items: 3, stackMs: 1, runMs: 2, splitMs: 0.5 });
  countRun(statistics, { items: 3, stackMs: 1, runMs: 4, splitMs: 0.5 });
  countRun(statistics, { items: 1, stackMs: 0, runMs: 1, splitMs: 0 });
  countSuccess(
    statistics,
    { ...emptyTiming(), prepareMs: 1, queueMs: 2, stackMs: 3, runMs: 4, splitMs: 5, finishMs: 6 },
    30,
  );
  countFailure(statistics, 7);
  assert.deepEqual([statistics.executionCount, statistics.inferenceCount], [3, 7]);
  assert.deepEqual(statistics.batches.get(3)?.computeInfer, { count: 2, ns: 6e6 });
  assert.deepEqual(statistics.batches.get(1)?.computeInfer, { count: 1, ns: 1e6 });
  const { success, fail, queue, computeInput, computeInfer, computeOutput } = statistics;
  assert.deepEqual(
    [success, fail, queue, computeInput, computeInfer, computeOutput],
    [30, 7, 2, 4, 4, 11].map((ms) => ({ count: 1, ns: ms * 1e6 })),
  );
});

test('the name of a model is the beginning of its key', () =>
  assert.equal(nameOfKey('language-id/2#7'), 'language-id'));
