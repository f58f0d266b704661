import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { rawSeconds, readScrape, sizesRun, weightySizes } from '../../bench/batch-runs.ts';

const BOUNDS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];

/** /metrics after runs of these sizes. */
function metricsOf(sizes: readonly number[], model = 'mlp'): Promise<string> {
  const registry = new Registry();
  const histogram = new Histogram({
    name: 'carpool_batch_items',
    help: 'Items in a run',
    labelNames: ['model'],
    buckets: BOUNDS,
    registers: [registry],
  });
  histogram.observe({ model: 'other' }, 5);
  for (const size of sizes) histogram.observe({ model }, size);
  return registry.metrics();
}

describe('readScrape', () => {
  it('reads one model of the histogram that the server writes', async () => {
    const scrape = readScrape(await metricsOf([1, 1, 5, 40]), 'mlp');
    assert.deepEqual(scrape.bounds, [...BOUNDS, Number.POSITIVE_INFINITY]);
    assert.deepEqual(scrape.cumulative, [2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4]);
    assert.equal(scrape.items, 47);
    assert.equal(scrape.runs, 4);
  });

  it('is all zero for a model that has not run', async () => {
    const scrape = readScrape(await metricsOf([]), 'mlp');
    assert.deepEqual(scrape, { bounds: [], cumulative: [], items: 0, runs: 0 });
  });
});

describe('sizesRun', () => {
  it('leaves out what ran before', async () => {
    const before = readScrape(await metricsOf([1, 8, 8]), 'mlp');
    const after = readScrape(await metricsOf([1, 8, 8, 3, 3, 1]), 'mlp');
    assert.deepEqual(sizesRun(before, after), [
      { size: 1, runs: 1 },
      { size: 3, runs: 2 },
    ]);
  });

  it('keeps the number of runs and items, with sizes inside their buckets', async () => {
    const empty = readScrape('', 'mlp');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 32 }), { minLength: 1 }), async (sizes) => {
        const run = sizesRun(empty, readScrape(await metricsOf(sizes), 'mlp'));
        const items = run.reduce((sum, { size, runs }) => sum + size * runs, 0);
        assert.equal(
          run.reduce((sum, { runs }) => sum + runs, 0),
          sizes.length,
        );
        assert.ok(Math.abs(items - sizes.reduce((sum, size) => sum + size, 0)) < 1e-6);
        assert.ok(run.every(({ size }) => size >= 1 && size <= 32));
      }),
      { numRuns: 50 },
    );
  });
});

describe('rawSeconds', () => {
  const measured = new Map([
    [8, 4],
    [1, 2],
    [32, 10],
  ]);
  it('reads times off between measured sizes, and beyond the last', () => {
    assert.equal(rawSeconds([{ size: 1, runs: 1000 }], measured), 2);
    assert.equal(rawSeconds([{ size: 8, runs: 1000 }], measured), 4);
    assert.equal(rawSeconds([{ size: 20, runs: 1000 }], measured), 7);
    assert.equal(rawSeconds([{ size: 64, runs: 1000 }], measured), 18);
    const both = [
      { size: 1, runs: 10 },
      { size: 32, runs: 10 },
    ];
    assert.equal(rawSeconds(both, measured), 0.12);
  });
  it('wants two measured sizes', () => {
    assert.throws(() => rawSeconds([{ size: 1, runs: 1 }], new Map([[1, 2]])), /fewer than two sizes/);
  });
});

describe('weightySizes', () => {
  it('names the sizes that carry the items', () => {
    const sizes = [
      { size: 1, runs: 10 },
      { size: 28.4, runs: 100 },
      { size: 32, runs: 100 },
    ];
    assert.deepEqual(weightySizes(sizes, 0.05), [28, 32]);
  });
});
