import assert from 'node:assert/strict';
import test from 'node:test';
import type { FinishedEvent, Rider, StartedEvent } from '../../src/core/events.ts';
import { ServerError } from '../../src/errors.ts';
import { RunLog } from '../../src/web/live/runs.ts';

/** Which runs pages are told of, and that what they are told is bounded. */

const rider = (owner: string, items = 1, enqueuedMs = 0): Rider => ({ owner, items, enqueuedMs });

function started(run: number, riders: readonly Rider[], more: Partial<StartedEvent> = {}): StartedEvent {
  const items = riders.reduce((sum, one) => sum + one.items, 0);
  const facts = { modelKey: 'a/1#1', lane: 0, startedMs: 10 * run, cost: items, cut: 'empty' as const };
  return { run, riders, items, tickets: riders.length, waitsMs: [], ...facts, ...more };
}

function finished(run: number, more: Partial<FinishedEvent> = {}): FinishedEvent {
  const facts = { modelKey: 'a/1#1', lane: 0, startedMs: 10 * run, cut: 'empty' as const, wallMs: 5 };
  return { run, riders: [], items: 1, tickets: 1, ...facts, ...more };
}

const makeLog = (): RunLog => new RunLog((key) => key.slice(0, key.indexOf('/')));

test('a run is told when it begins and when it ends, with each request in it once', () => {
  const log = makeLog();
  log.started(started(1, [rider('x', 1, 4), rider('y', 2, 7.123), rider('x', 3, 4)]));
  const begun = { id: 1, lane: 0, model: 'a', startMs: 10, items: 6, steps: 1, cut: 'empty', unnamed: 0 };
  const riders = [
    ['x', 6, 4],
    ['y', 2.88, 2],
  ];
  assert.deepEqual(log.take(), { runs: [{ ...begun, ms: null, riders }], missed: 0 });
  assert.deepEqual(log.take(), { runs: [], missed: 0 });
  log.finished(finished(1, { wallMs: 5.678 }));
  const ended = { ...begun, ms: 5.68, riders };
  assert.deepEqual(log.take().runs, [ended]);
  assert.deepEqual(log.recent(), [ended]);
});

test('a run that fails says why, and the end of one that was not told is none', () => {
  const log = makeLog();
  log.finished(finished(7));
  assert.deepEqual(log.take().runs, []);
  log.started(started(1, [rider('x')]));
  log.finished(finished(1, { error: new ServerError('LANE_LOST') }));
  assert.equal(log.take().runs[0]?.error, 'LANE_LOST');
});

test('steps of the same requests are one run, until another joins', () => {
  const log = makeLog();
  const [x, y] = [rider('x', 1, 0), rider('y', 1, 20)];
  log.started(started(1, [x]));
  // The core tells of the next step before it tells of the end of the one before.
  log.started(started(2, [x]));
  log.finished(finished(1));
  assert.deepEqual(
    log.take().runs.map(({ id, steps, ms }) => [id, steps, ms]),
    [[1, 2, null]],
  );
  log.finished(finished(2));
  log.started(started(3, [x, y]));
  log.finished(finished(3));
  assert.deepEqual(
    log.take().runs.map(({ id, steps, startMs, ms, riders }) => ({ id, steps, startMs, ms, riders })),
    [
      { id: 1, steps: 2, startMs: 10, ms: 15, riders: [['x', 10, 1]] },
      // x has not waited again.
      {
        ...{ id: 3, steps: 1, startMs: 30, ms: 5 },
        riders: [
          ['x', 10, 1],
          ['y', 10, 1],
        ],
      },
    ],
  );
});

test('steps with a pause between them are told apart', () => {
  const log = makeLog();
  log.started(started(1, [rider('x')]));
  log.finished(finished(1));
  log.started(started(2, [rider('x')], { startedMs: 1000 }));
  assert.deepEqual(
    log.take().runs.map(({ id }) => id),
    [1, 2],
  );
});

test('of many runs a frame tells some and counts the others', () => {
  const log = makeLog();
  for (let run = 1; run <= 1000; run++) {
    log.started(started(run, [rider(`of ${run}`)]));
    log.finished(finished(run));
  }
  const { runs, missed } = log.take();
  assert.deepEqual([runs.length, missed], [256, 744]);
  for (let run = 1001; run <= 1300; run++) {
    log.started(started(run, [rider(`of ${run}`)], { lane: run % 2 }));
    log.finished(finished(run, { lane: run % 2 }));
  }
  assert.equal(log.take().runs.length, 300);
  assert.equal(log.recent().length, 500);
  assert.equal(log.recent().at(-1)?.id, 1300);
});

test('of many requests a frame names some and counts the others', () => {
  const log = makeLog();
  const riders = Array.from({ length: 400 }, (_, index) => rider(`of ${index}`));
  log.started(started(1, riders));
  log.started(started(2, riders, { lane: 1 }));
  assert.deepEqual(
    log.take().runs.map((run) => [run.riders.length, run.unnamed]),
    [
      [400, 0],
      [112, 288],
    ],
  );
});
