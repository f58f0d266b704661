import assert from 'node:assert/strict';
import test from 'node:test';
import { manifestSchema } from '../../src/repository/manifest.ts';
import { queueItemsOf } from '../../src/serving/served-model.ts';

test('there are permits for some full runs of each lane, unless model.json says how many', () => {
  const manifest = manifestSchema.parse({});
  assert.equal(queueItemsOf({ manifest }, undefined, { lanes: 1, maxItems: 32 }), 256);
  assert.equal(queueItemsOf({ manifest }, 4096, { lanes: 2, maxItems: 32 }), 4096);
  assert.equal(queueItemsOf({ manifest }, undefined, { lanes: 64, maxItems: 32 }), 8192);
  const own = manifestSchema.parse({ queue: { maxItems: 10 } });
  assert.equal(queueItemsOf({ manifest: own }, undefined, { lanes: 64, maxItems: 32 }), 10);
});
