import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lease } from '../../src/jobs/lease.ts';
import { FakeClock } from '../core/fake-clock.ts';

function rig(answer: () => Promise<boolean>) {
  const clock = new FakeClock();
  const asked: number[] = [];
  let lostAt: number | undefined;
  const lease = new Lease({
    clock,
    leaseMs: 100,
    extend: () => {
      asked.push(clock.now());
      return answer();
    },
    onLost: () => (lostAt = clock.now()),
  });
  const pass = (ms: number): Promise<void> => clock.advance(ms);
  return { asked, lease, pass, lostAt: () => lostAt };
}

test('a claim is extended each time half of its lease has passed', async () => {
  const { asked, pass, lease, lostAt } = rig(() => Promise.resolve(true));
  await pass(220);
  lease.end();
  await pass(200);
  assert.deepEqual(asked, [50, 100, 150, 200]);
  assert.equal(lostAt(), undefined);
});

test('a claim that somebody else has is lost at once', async () => {
  const { pass, lease, lostAt, asked } = rig(() => Promise.resolve(false));
  await pass(200);
  assert.equal(lostAt(), 50);
  assert.equal(lease.isLost, true);
  assert.deepEqual(asked, [50]);
});

test('while it cannot be extended it is asked for again, and lost when its time is up', async () => {
  const { pass, lostAt, asked } = rig(() => Promise.reject(new Error('down')));
  await pass(200);
  assert.deepEqual(asked, [50, 60, 70, 80, 90, 100]);
  assert.equal(lostAt(), 100);
});

test('an extension that never answers loses the claim when its time is up', async () => {
  const { pass, lostAt } = rig(() => new Promise(() => undefined));
  await pass(200);
  assert.equal(lostAt(), 100);
});

test('one failure costs nothing', async () => {
  let calls = 0;
  const { pass, lostAt } = rig(() => (++calls === 1 ? Promise.reject(new Error('down')) : Promise.resolve(true)));
  await pass(500);
  assert.equal(lostAt(), undefined);
});

test('a claim without a lease is never extended', () => {
  const clock = new FakeClock();
  new Lease({ clock, leaseMs: undefined, extend: () => Promise.resolve(true), onLost: () => undefined });
  assert.equal(clock.timers, 0);
});
