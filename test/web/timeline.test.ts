import assert from 'node:assert/strict';
import test from 'node:test';
import { nextRun, spanBeside } from '../../web/dashboard/moves.ts';
import {
  acrossFrom,
  arrivalsOf,
  barsOf,
  endToShow,
  journeyOf,
  lastOf,
  neighbourOf,
  runAt,
} from '../../web/dashboard/timeline.ts';
import type { Rider, Run } from '../../web/live/protocol.ts';
import { linkTo, placeOf } from '../../web/router.ts';

/** Where runs stand on the timeline, and how one is picked. */

function run(id: number, startMs: number, ms: number | null, more: Partial<Run> = {}): Run {
  return {
    ...{ id, lane: 0, model: 'a', startMs, ms, items: 1, steps: 1, cut: 'empty', riders: [], unnamed: 0 },
    ...more,
  };
}

const VIEW = { fromMs: 1000, toMs: 2000, width: 1000, rowHeight: 46, lanes: [{ lane: 0 }, { lane: 3 }] };

test('a run is as wide as it is long, and as high as it has items', () => {
  const bars = barsOf(
    [
      run(1, 1100, 50, { items: 1 }),
      run(2, 1200, 100, { items: 5, lane: 3 }),
      run(3, 500, 400),
      run(4, 2100, 5),
      run(5, 900, 150),
      run(6, 1900, null),
      run(7, 1300, 0.1),
      run(8, 1300, 10, { lane: 9 }),
    ],
    VIEW,
  );
  assert.deepEqual(
    bars.map(({ run: { id }, x, y, width, height }) => [id, x, y, width, height]),
    [
      [1, 100, 36, 50, 10],
      [2, 200, 52, 100, 40],
      // Cut at the edges of the view.
      [5, 0, 36, 50, 10],
      [6, 900, 36, 100, 10],
      // Still to be seen.
      [7, 300, 36, 2, 10],
    ],
  );
});

test('a pointer means the nearest run of its lane', () => {
  const bars = barsOf([run(1, 1100, 50), run(2, 1160, 40), run(3, 1100, 50, { lane: 3 })], VIEW);
  const at = (x: number, y: number): number | undefined => runAt(bars, VIEW, { x, y })?.id;
  assert.deepEqual([at(120, 40), at(120, 5), at(120, 60)], [1, 1, 3]);
  assert.deepEqual([at(154, 40), at(157, 40), at(97, 40)], [1, 2, 1]);
  assert.deepEqual([at(90, 40), at(500, 40), at(120, 200)], [undefined, undefined, undefined]);
});

test('keys lead along a lane and across to others', () => {
  const runs = [run(2, 20, 5), run(1, 10, 5), run(3, 12, 5, { lane: 3 }), run(4, 30, 5, { lane: 3 })];
  const [second, first, other] = runs;
  assert.equal(neighbourOf(runs, undefined, -1)?.id, 4);
  assert.equal(neighbourOf(runs, second, -1)?.id, 1);
  assert.equal(neighbourOf(runs, first, -1)?.id, 1);
  assert.ok(first && other);
  assert.equal(acrossFrom(runs, first, { lanes: VIEW.lanes, step: 1 }).id, 3);
  assert.equal(acrossFrom(runs, other, { lanes: VIEW.lanes, step: 1 }).id, 3);
  assert.equal(neighbourOf([], undefined, 1), undefined);
  // A lane without a run is passed over.
  assert.equal(acrossFrom(runs, first, { lanes: [{ lane: 0 }, { lane: 1 }, { lane: 3 }], step: 1 }).id, 3);
  assert.deepEqual([lastOf(runs, first, 'oldest')?.id, lastOf(runs, other, 'newest')?.id], [1, 4]);
  assert.equal(lastOf(runs, undefined, 'oldest')?.id, 1);
  const from = { runs, chosen: first, lanes: VIEW.lanes };
  assert.deepEqual(
    ['ArrowLeft', 'ArrowRight', 'ArrowDown', 'Home', 'End', 'a'].map((key) => nextRun(key, from)?.id),
    [1, 2, 3, 1, 2, undefined],
  );
  assert.deepEqual(
    [spanBeside('+', 5), spanBeside('-', 5), spanBeside('-', 120), spanBeside('a', 5)],
    [1, 30, 120, undefined],
  );
});

test('a run that is chosen is brought into view', () => {
  const view = { toMs: 10_000, spanMs: 5000, nowMs: 60_000 };
  assert.equal(endToShow({ startMs: 6000, endMs: 7000 }, view), 10_000);
  assert.equal(endToShow({ startMs: 4000, endMs: 4500 }, view), 6000);
  assert.equal(endToShow({ startMs: 20_000, endMs: 20_500 }, view), 22_000);
  // No later than now, and of a long run the beginning.
  assert.equal(endToShow({ startMs: 59_000, endMs: 59_500 }, view), 60_000);
  assert.equal(endToShow({ startMs: 20_000, endMs: 40_000 }, view), 25_000);
});

test('a run knows when those came that it is the first for', () => {
  const riders: Rider[] = [
    ['a', 30, 1],
    ['b', 5, 1],
    ['c', 40, 1],
  ];
  const runs = [run(1, 100, 5, { riders: [['a', 30, 1]] }), run(2, 200, 5, { riders })];
  const [first, second] = runs;
  assert.ok(first && second);
  assert.deepEqual(arrivalsOf(first, runs), [{ id: 'a', atMs: 70 }]);
  assert.deepEqual(arrivalsOf(second, runs), [
    { id: 'c', atMs: 160 },
    { id: 'b', atMs: 195 },
  ]);
});

test('a request is followed by its id, or the beginning of it', () => {
  const riders = (...all: Rider[]): Partial<Run> => ({ riders: all });
  const runs = [
    run(1, 10, 5, riders(['abc-1', 3, 1], ['xyz', 1, 1])),
    run(2, 20, 5, riders(['abc-2', 3, 1])),
    run(3, 30, 5, riders(['abc-1', 3, 2])),
  ];
  assert.deepEqual(
    journeyOf(runs, ' abc ')?.runs.map(({ id }) => id),
    [1, 3],
  );
  const journey = journeyOf(runs, 'abc-1');
  assert.deepEqual([journey?.id, journey?.waitMs, journey?.items], ['abc-1', 3, 3]);
  assert.deepEqual([journeyOf(runs, ''), journeyOf(runs, 'nobody')], [undefined, undefined]);
});

test('addresses within the page name a view and what it shows', () => {
  assert.deepEqual(placeOf(''), { view: 'dashboard', rest: [] });
  assert.deepEqual(placeOf('#/play/a%2Fb/'), { view: 'play', rest: ['a/b'] });
  assert.deepEqual(placeOf('#play/%'), { view: 'play', rest: ['%'] });
  assert.deepEqual(placeOf(linkTo('play', 'my model')), { view: 'play', rest: ['my model'] });
});
