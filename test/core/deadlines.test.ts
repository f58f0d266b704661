import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Deadlines } from '../../src/core/deadlines.ts';
import { FakeClock } from './fake-clock.ts';

const timed = (deadlineMs: number) => ({ deadlineMs, heapIndex: -1 });

test('each ticket expires at its deadline, in order, and a forgotten one never', async () => {
  const deadline = fc.record({ deadlineMs: fc.nat(500), forgotten: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(deadline, { maxLength: 40 }), async (cases) => {
      const clock = new FakeClock();
      const seen: { deadlineMs: number; atMs: number }[] = [];
      const deadlines = new Deadlines<ReturnType<typeof timed>>(clock, ({ deadlineMs }) => {
        seen.push({ deadlineMs, atMs: clock.now() });
      });
      const tickets = cases.map(({ deadlineMs }) => timed(deadlineMs));
      for (const ticket of tickets) deadlines.watch(ticket);
      for (const [index, { forgotten }] of cases.entries()) {
        const ticket = tickets[index];
        if (forgotten && ticket !== undefined) {
          deadlines.forget(ticket);
          deadlines.forget(ticket);
        }
      }
      await clock.advance(600);
      const expected = cases.filter(({ forgotten }) => !forgotten).map(({ deadlineMs }) => deadlineMs);
      assert.deepEqual(
        seen.map(({ deadlineMs }) => deadlineMs),
        expected.sort((one, other) => one - other),
      );
      for (const { deadlineMs, atMs } of seen) assert.equal(atMs, deadlineMs);
      assert.equal(clock.timers, 0);
    }),
    { numRuns: 50 },
  );
});

test('an infinite deadline sets no timer', () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock, () => assert.fail('expired'));
  deadlines.watch(timed(Infinity));
  deadlines.expire();
  assert.equal(clock.timers, 0);
});
