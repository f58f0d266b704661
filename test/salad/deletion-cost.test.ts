import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeletionCost } from '../../src/salad/deletion-cost.ts';
import { until } from '../lanes/threads.ts';

test('the cost is told when it has changed, again after a failure, and 0 when there is no work', async (t) => {
  const told: number[] = [];
  const last = (): number | undefined => told.at(-1);
  let warnings = 0;
  let work = 3;
  const put = (value: number): Promise<void> => {
    told.push(value);
    return isDown ? Promise.reject(new Error('down')) : Promise.resolve();
  };
  let isDown = true;
  const cost = new DeletionCost({
    everyMs: 1,
    work: () => work,
    log: { warn: () => (warnings += 1) },
    imds: { setDeletionCost: put },
  });
  t.after(() => cost.stop());
  await until(() => told.length >= 2);
  assert.ok(told.every((value) => value === 3));
  isDown = false;
  await until(() => warnings === 1);
  work = 0;
  await until(() => last() === 0);
  const count = told.length;
  await new Promise(setImmediate);
  assert.equal(told.length, count);
  assert.equal(warnings, 1);
});
