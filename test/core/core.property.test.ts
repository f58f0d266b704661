import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { commands } from './core-commands.ts';
import { CoreModel } from './core-model.ts';

test('whatever happens, nothing is lost or run twice, and order, limits and permits are kept', async () => {
  const limits = fc.record({
    maxItems: fc.integer({ min: 1, max: 6 }),
    maxCost: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(Infinity)),
    maxDelayMs: fc.constantFrom(0, 0, 7),
  });
  const steps = fc.array(commands, { maxLength: 60, size: 'max' });
  let runs = 0;
  let furtherRuns = 0;
  let runsAhead = 0;
  await fc.assert(
    fc.asyncProperty(limits, limits, limits, steps, async (ofA, ofB, ofS, list) => {
      const world = new CoreModel({ a: ofA, b: ofB, s: { ...ofS, maxDelayMs: 0 } });
      for (const command of list) await world.apply(command);
      await world.end();
      runs += world.lanes.runs;
      furtherRuns += world.lanes.furtherRuns;
      runsAhead += world.lanes.runsAhead;
    }),
    { numRuns: 300 },
  );
  // The commands do reach the lanes, so the property does not hold only because nothing happens.
  assert.ok(runs > 1000, `${runs} runs`);
  assert.ok(furtherRuns > 200, `${furtherRuns} runs of tickets that went on`);
  assert.ok(runsAhead > 50, `${runsAhead} runs sent ahead`);
});
