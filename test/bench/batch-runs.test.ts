import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Histogram, Registry } from 'prom-client';
import { meanBatch, readRuns } from '../../bench/batch-runs.ts';

describe('readRuns', () => {
  it('reads one model of the histogram that the server writes', async () => {
    const registry = new Registry();
    const histogram = new Histogram({
      name: 'carpool_batch_items',
      help: 'Items in a run',
      labelNames: ['model'],
      buckets: [1, 2, 4],
      registers: [registry],
    });
    histogram.observe({ model: 'other' }, 5);
    for (const size of [1, 1, 5, 40]) histogram.observe({ model: 'mlp' }, size);
    assert.deepEqual(readRuns(await registry.metrics(), 'mlp'), { items: 47, runs: 4 });
    assert.deepEqual(readRuns(await registry.metrics(), 'new'), { items: 0, runs: 0 });
  });
});

describe('meanBatch', () => {
  it('is of the runs between two readings', () => {
    assert.equal(meanBatch({ items: 10, runs: 4 }, { items: 34, runs: 7 }), 8);
  });
});
