import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runHalving } from '../../src/programs/halving.ts';

test('without tickets nothing is run', async () => {
  const runWhole = () => Promise.reject(new Error('nothing to stack'));
  const { outcomes, fatal } = await runHalving([], { runWhole });
  assert.deepEqual([outcomes, fatal], [[], undefined]);
});
