import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobsAhead } from '../../src/jobs/ahead.ts';
import { manifestSchema } from '../../src/repository/manifest.ts';

const loaded = (maxItems: number, queueItems = 256) => ({
  limits: { maxItems, maxCost: Infinity, maxDelayMs: 0 },
  queueItems,
});
const asleep = (manifest: unknown) => ({ manifest: manifestSchema.parse(manifest) });

test('as many jobs are held as fill two runs of each lane, within the queue', () => {
  const models = { list: () => [loaded(8), loaded(64, 100)], asleep: () => [] };
  assert.equal(jobsAhead(models, 1), 100);
  assert.equal(jobsAhead({ ...models, list: () => [loaded(8)] }, 2), 32);
  assert.equal(jobsAhead({ ...models, list: () => [] }, 2), 4);
});

test('a model that sleeps counts by its model.json', () => {
  const list = () => [loaded(1)];
  assert.equal(jobsAhead({ list, asleep: () => [asleep({ batching: { maxItems: 16 } })] }, 1), 32);
  assert.equal(jobsAhead({ list, asleep: () => [asleep({})] }, 1), 128);
  assert.equal(jobsAhead({ list, asleep: () => [asleep({ queue: { maxItems: 10 } })] }, 1), 10);
});
