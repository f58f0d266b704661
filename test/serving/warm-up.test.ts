import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manifestSchema } from '../../src/repository/manifest.ts';
import { sizesOf } from '../../src/serving/warm-up.ts';

/** Batching of model.json and cost of an item, and the sizes that must be warmed. */
for (const [batching, cost, sizes] of [
  [{ maxItems: 8 }, 1, [1, 2, 4, 8]],
  [{ maxItems: 10 }, 1, [1, 2, 4, 8, 10]],
  [{ maxItems: 1 }, 1, [1]],
  [{ maxItems: 32, maxCost: 100 }, 30, [1, 2, 3]],
  [{ maxItems: 32, maxCost: 10 }, 30, [1]],
  [{ maxItems: 16, buckets: [3, 6, 99] }, 1, [3, 6, 16]],
] as const)
  test(`warms ${sizes.join(', ')} for ${JSON.stringify(batching)} at a cost of ${cost}`, () => {
    const manifest = manifestSchema.parse({ batching });
    const { maxItems = 32, maxCost = Infinity } = manifest.batching;
    assert.deepEqual(sizesOf({ manifest }, { maxItems, maxCost }, cost), sizes);
    assert.deepEqual(sizesOf({ manifest }, { maxItems: 1, maxCost }, cost), [1]);
  });
