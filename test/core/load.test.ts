import assert from 'node:assert/strict';
import test from 'node:test';
import type { CoreEvents } from '../../src/core/events.ts';
import { ServerError } from '../../src/errors.ts';
import { FakeLane } from './fake-lane.ts';
import { MAX_ITEMS, repeat, setUp } from './load-set-up.ts';

for (const lanes of [1, 2]) {
  test(`two models that always have work get the same lane time, whatever their runs cost (${lanes} lanes)`, async () => {
    const spentMs = new Map<string, number>();
    const finished: CoreEvents['finished'] = ({ modelKey, wallMs }) => {
      spentMs.set(modelKey, (spentMs.get(modelKey) ?? 0) + wallMs);
    };
    const { clock, fill } = setUp({ light: { b: 5, a: 0 }, heavy: { b: 40, a: 10 } }, lanes, { finished });
    await repeat(clock, { everyMs: 5, forMs: 20_000 }, () => {
      fill('light');
      fill('heavy');
    });
    const [light = 0, heavy = 0] = [spentMs.get('light'), spentMs.get('heavy')];
    assert.ok(Math.abs(light - heavy) < 0.1 * heavy, `${light} ms and ${heavy} ms`);
  });
}

test('a model whose runs all fail gets no more lane time than another', async () => {
  const spentMs = new Map<string, number>();
  const finished: CoreEvents['finished'] = ({ modelKey, wallMs }) => {
    spentMs.set(modelKey, (spentMs.get(modelKey) ?? 0) + wallMs);
  };
  const { clock, core, fill } = setUp({ sound: { b: 20, a: 0 }, broken: { b: 20, a: 0 } }, 0, { finished });
  core.addLane(
    new FakeLane(0, (run) => {
      clock.after(20, () => (run.modelKey === 'broken' ? run.fail(new Error('detail')) : run.finish({ runMs: 20 })));
    }),
  );
  await repeat(clock, { everyMs: 10, forMs: 2000 }, () => {
    fill('sound');
    fill('broken');
  });
  const [sound = 0, broken = 0] = [spentMs.get('sound'), spentMs.get('broken')];
  assert.ok(Math.abs(sound - broken) <= 40, `${sound} ms and ${broken} ms`);
});

test('a model that was idle is served after the run in progress, but gets no more than its share', async () => {
  const spentMs = new Map<string, number>();
  const finished: CoreEvents['finished'] = ({ modelKey, wallMs }) => {
    spentMs.set(modelKey, (spentMs.get(modelKey) ?? 0) + wallMs);
  };
  const speeds = { busy: { b: 20, a: 0 }, idle: { b: 20, a: 0 } };
  const { clock, send, fill } = setUp(speeds, 1, { finished });
  await repeat(clock, { everyMs: 10, forMs: 5000 }, () => fill('busy'));
  spentMs.clear();
  const first = send('idle');
  await repeat(clock, { everyMs: 10, forMs: 5000 }, () => {
    fill('busy');
    fill('idle');
  });
  assert.ok((await first.done).timing.queueMs <= 20);
  const [busy = 0, idle = 0] = [spentMs.get('busy'), spentMs.get('idle')];
  assert.ok(Math.abs(busy - idle) <= 40, `${busy} ms and ${idle} ms`);
});

test('under endless work of the highest priority, every other priority is served in bounded time', async () => {
  const { clock, send, fill } = setUp({ busy: { b: 20, a: 0 }, other: { b: 20, a: 0 } }, 1);
  fill('busy', 1);
  await clock.turn();
  let low: ReturnType<typeof send>[] = [];
  await repeat(clock, { everyMs: 5, forMs: 6000 }, () => {
    if (low.length === 0 && clock.now() >= 500)
      low = [send('busy', 3), send('busy', 3, Infinity, 'rare'), send('other', 3), send('other', 2)];
    fill('busy', 1);
  });
  assert.equal(low.length, 4);
  // Two levels of 1000 ms for each of the two runs of the longest line, and the runs in progress or due before them.
  const boundMs = 2 * (2000 + 3 * 20);
  for (const handle of low) {
    const { timing } = await handle.done;
    assert.ok(timing.queueMs <= boundMs, `waited ${timing.queueMs} ms`);
  }
});

function factor(one: number, other: number): number {
  return Math.max(one, other, 1) / Math.max(1, Math.min(one, other));
}

for (const { lanes, shared } of [
  { lanes: 1, shared: false },
  { lanes: 3, shared: false },
  { lanes: 1, shared: true },
]) {
  const name = `${lanes} lanes${shared ? ', shared with another busy model' : ''}`;
  test(`under ten times the load it can take, the predicted wait is true within a factor of two (${name})`, async () => {
    const speed = { b: 30, a: 1 };
    const { clock, core, send, fill } = setUp(shared ? { m: speed, other: { b: 15, a: 2 } } : { m: speed }, lanes);
    const waits: { predictedMs: number; actual: Promise<number> }[] = [];
    const retries: number[] = [];
    const perMs = (10 * lanes * MAX_ITEMS) / (speed.b + speed.a * MAX_ITEMS);
    await repeat(clock, { everyMs: 5, forMs: 5000 }, () => {
      if (shared) fill('other');
      for (let index = 0; index < 5 * perMs; index += 1) {
        try {
          const predictedMs = core.predictedWaitMs('m');
          const { done } = send('m');
          if (clock.now() > 1000) waits.push({ predictedMs, actual: done.then(({ timing }) => timing.queueMs) });
        } catch (error) {
          assert.ok(error instanceof ServerError && error.code === 'QUEUE_FULL');
          if (clock.now() > 1000) retries.push(error.retryAfterMs ?? 0);
        }
      }
    });
    await clock.advance(2000);
    assert.ok(waits.length > 100 && retries.length > 1000);
    const actual = await Promise.all(waits.map((wait) => wait.actual));
    const off = waits.filter(({ predictedMs }, index) => factor(predictedMs, actual[index] ?? 0) > 2);
    assert.ok(off.length <= 0.02 * waits.length, `${off.length} of ${waits.length} predictions are wrong`);
    const meanMs = actual.reduce((sum, ms) => sum + ms, 0) / actual.length;
    for (const retryMs of retries) assert.ok(factor(retryMs, meanMs) <= 2, `${retryMs} ms for ${meanMs} ms`);
  });
}

test('requests that are admitted in time under overload are served in time', async () => {
  const { clock, send } = setUp({ m: { b: 30, a: 1 } }, 1);
  let refused = 0;
  const ends: Promise<string>[] = [];
  await repeat(clock, { everyMs: 2, forMs: 4000 }, () => {
    try {
      const { done } = send('m', 2, clock.now() + 200);
      const end = done.then(
        () => 'served',
        () => 'expired',
      );
      if (clock.now() > 1000) ends.push(end);
    } catch (error) {
      assert.ok(error instanceof ServerError && error.code === 'WAIT_TOO_LONG');
      refused += 1;
    }
  });
  await clock.advance(1000);
  const served = (await Promise.all(ends)).filter((end) => end === 'served').length;
  assert.ok(refused > 100, `${refused} refused`);
  assert.ok(served > 100);
  assert.ok(served >= 0.95 * ends.length, `${served} of ${ends.length} served`);
});
