import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadline, DeadlineWatch } from '../../src/serving/deadline.ts';
import { FakeClock } from '../core/fake-clock.ts';

test('limits that become known later count from the beginning of the request, and only shorten its time', () => {
  const clock = new FakeClock();
  clock.stall(1000);
  const deadline = new Deadline(90, clock);
  assert.deepEqual([deadline.startMs, deadline.atMs, deadline.leftMs()], [1000, 1090, 90]);
  clock.stall(30);
  deadline.shorten(50);
  assert.deepEqual([deadline.elapsedMs, deadline.leftMs()], [30, 20]);
  deadline.shorten(80);
  assert.equal(deadline.leftMs(), 20);
  clock.stall(15);
  deadline.shorten(50);
  assert.equal(deadline.leftMs(), 5);
  deadline.shorten(40);
  assert.equal(deadline.leftMs(), -5);
  assert.equal(new Deadline(Infinity, clock).leftMs(), Infinity);
});

test('a wait is ended by its deadline once, by one timer for all; a wait that is over is not', async () => {
  const clock = new FakeClock();
  const watch = new DeadlineWatch(clock);
  const late: number[] = [];
  const waits = [30, 10, 20, Infinity].map((deadlineMs) => ({
    deadlineMs,
    heapIndex: -1,
    late: () => void late.push(deadlineMs),
  }));
  for (const wait of waits) watch.watch(wait);
  assert.equal(clock.timers, 1);
  const [, , over] = waits;
  assert.ok(over !== undefined);
  watch.forget(over);
  watch.forget(over);
  await clock.advance(100);
  assert.deepEqual(late, [10, 30]);
});
