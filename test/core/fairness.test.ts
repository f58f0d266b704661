import assert from 'node:assert/strict';
import test from 'node:test';
import type { CoreEvents } from '../../src/core/events.ts';
import type { TicketHandle } from '../../src/core/queued-ticket.ts';
import { ServerError } from '../../src/errors.ts';
import { repeat, setUp, type Speed } from './load-set-up.ts';

/** Lane time by model, from the events of a core. */
function meter(): { readonly spentMs: Map<string, number>; readonly finished: NonNullable<CoreEvents['finished']> } {
  const spentMs = new Map<string, number>();
  const finished: NonNullable<CoreEvents['finished']> = ({ modelKey, wallMs }) =>
    void spentMs.set(modelKey, (spentMs.get(modelKey) ?? 0) + wallMs);
  return { spentMs, finished };
}

for (const lanes of [1, 4])
  test(`models that always have work share the lanes by their weights, within 5 % (${lanes} lanes)`, async () => {
    const { spentMs, finished } = meter();
    const speeds: Record<string, Speed> = {
      light: { b: 5, a: 0 },
      heavy: { b: 40, a: 2, weight: 3 },
      half: { b: 10, a: 1, weight: 0.5 },
    };
    const { clock, fill } = setUp(speeds, lanes, { finished });
    await repeat(clock, { everyMs: 5, forMs: 20_000 }, () => {
      for (const key of Object.keys(speeds)) fill(key);
    });
    const whole = [...spentMs.values()].reduce((sum, ms) => sum + ms, 0);
    for (const [key, { weight = 1 }] of Object.entries(speeds)) {
      const part = (spentMs.get(key) ?? 0) / whole / (weight / 4.5);
      assert.ok(Math.abs(part - 1) < 0.05, `${key}: ${part} of its share`);
    }
  });

/** The most that a request of a model within its share may wait: some runs of the flood. */
const MOST_WAIT_MS = 60;

/** Calls `send` now: how long the ticket waited, Infinity if it was not served. */
async function tryTo(send: () => TicketHandle<unknown>): Promise<number> {
  try {
    return (await send().done).timing.queueMs;
  } catch (error) {
    assert.ok(error instanceof ServerError, String(error));
    return Infinity;
  }
}

for (const { lanes, others, limitMs } of [
  { lanes: 1, others: 1, limitMs: 70 },
  { lanes: 4, others: 1, limitMs: 70 },
  { lanes: 4, others: 12, limitMs: 70 },
  { lanes: 1, others: 1, limitMs: 60_000 },
  { lanes: 4, others: 12, limitMs: 60_000 },
])
  test(`a flood on one model costs the others nothing (${lanes} lanes, ${others} others, ${limitMs} ms)`, async () => {
    const speed = { b: 10, a: 1, queueItems: 600 };
    const names = Array.from({ length: others }, (_, index) => `other${index}`);
    const speeds = Object.fromEntries(['flood', ...names].map((name) => [name, speed]));
    const { clock, send } = setUp(speeds, lanes);
    const waits: Promise<number>[] = [];
    let flooded = 0;
    let tick = 0;
    await repeat(clock, { everyMs: 5, forMs: 5000 }, () => {
      const nowMs = clock.now();
      // Ten times what the lanes can take.
      for (let index = 0; index < 25 * lanes; index += 1)
        void tryTo(() => send('flood', 2, nowMs + limitMs)).then(
          (waitedMs) => (flooded += waitedMs < Infinity ? 1 : 0),
        );
      // Run alone, the requests of all others would take a quarter of the lanes' time.
      const every = Math.round((4 * 11 * others) / lanes / 5);
      for (const [index, name] of names.entries())
        if ((tick + index) % every === 0 && nowMs > 1000) waits.push(tryTo(() => send(name, 2, nowMs + limitMs)));
      tick += 1;
    });
    await clock.advance(2000);
    const waitedMs = await Promise.all(waits);
    const kept = waitedMs.filter((ms) => ms <= MOST_WAIT_MS).length;
    assert.ok(waits.length > 50, `${waits.length} asked`);
    assert.ok(kept >= 0.95 * waits.length, `${kept} of ${waits.length} in time`);
    assert.ok(flooded > 1000, `${flooded} of the flood served, too`);
  });
