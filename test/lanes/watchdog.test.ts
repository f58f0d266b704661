import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchLane } from '../../src/lanes/watchdog.ts';

/** Stands for a lane's thread: nothing but the counters that the watchdog reads. */
const fakeThread = (begun: number, ended: number) => ({ progress: { begun, ended } });

/** Some looks of the watchdog. */
const A_WHILE_MS = 1500;

test(
  'a run that stays begun beyond its limit is late, after a grace stuck, and each is reported once',
  { timeout: 10_000 },
  async () => {
    const late: number[] = [];
    const told: number[] = [];
    const stuck = new Promise<void>((resolve) => {
      const watch = watchLane(fakeThread(5, 4), {
        onLate: (begunForMs) => void late.push(begunForMs),
        onStuck: (begunForMs) => {
          told.push(begunForMs);
          resolve();
        },
      });
      watch.expect(300);
    });
    // The watchdog's own timer does not keep a process alive.
    const alive = setInterval(() => undefined, 1000);
    await stuck;
    await sleep(600);
    clearInterval(alive);
    assert.deepEqual([late.length, told.length], [1, 1]);
    assert.ok((late[0] ?? 0) > 300 && (told[0] ?? 0) > 1300);
  },
);

test('runs within their limit are not reported', async (t) => {
  const told: string[] = [];
  const watching = (name: string, begun: number, ended: number) => {
    const thread = fakeThread(begun, ended);
    const tell = (): void => void told.push(name);
    const watch = watchLane(thread, { onLate: tell, onStuck: tell });
    t.after(() => watch.stop());
    return { thread, watch };
  };
  watching('idle', 3, 3).watch.expect(1);
  watching('within its limit', 3, 2).watch.expect(60_000);
  watching('loading: nothing was sent', 3, 2);
  watching('answered', 3, 2).watch.expect(1)();
  const longer = watching('the longest limit counts', 3, 2).watch;
  longer.expect(1);
  longer.expect(60_000);
  watching('stopped', 3, 2).watch.stop();
  const parts = watching('a batch cut in parts', 3, 2);
  parts.watch.expect(900);
  const advance = setInterval(() => {
    parts.thread.progress.begun += 1;
    parts.thread.progress.ended += 1;
  }, 50);
  await sleep(A_WHILE_MS);
  clearInterval(advance);
  assert.deepEqual(told, []);
});
