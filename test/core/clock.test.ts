import assert from 'node:assert/strict';
import test from 'node:test';
import { Alarm, nextTurn, systemClock } from '../../src/core/clock.ts';
import { FakeClock } from './fake-clock.ts';

test('the system clock rises, calls back, and does not call a timer that was cancelled or is far off', async () => {
  const startMs = systemClock.now();
  const calls: string[] = [];
  const takeBack = systemClock.after(0, () => calls.push('taken back'));
  const takeBackFar = systemClock.after(2 ** 40, () => calls.push('far off'));
  takeBack();
  await new Promise<void>((resolve) => {
    systemClock.after(5, resolve);
    // The clock's timers do not keep the process alive.
    const alive = setInterval(() => undefined, 1000);
    systemClock.after(5, () => clearInterval(alive));
  });
  takeBackFar();
  assert.deepEqual(calls, []);
  assert.ok(systemClock.now() > startMs);
  await new Promise<void>((resolve) => nextTurn(resolve));
});

test('an alarm rings once, at the time it was moved to last', async () => {
  const clock = new FakeClock();
  const rings: number[] = [];
  const alarm = new Alarm(clock, () => rings.push(clock.now()));
  alarm.set(10);
  alarm.set(30);
  alarm.setBy(40);
  alarm.setBy(20);
  await clock.advance(50);
  alarm.set(60);
  alarm.set(Infinity);
  await clock.advance(50);
  alarm.set(5);
  await clock.advance(1);
  assert.deepEqual(rings, [20, 100], 'a time that has passed rings at once');
  assert.equal(clock.timers, 0);
});
