import assert from 'node:assert/strict';
import test from 'node:test';
import { age, bytes, duration, percent, plural, short, upTime } from '../../web/format.ts';
import { sizeRows } from '../../web/dashboard/sizes.ts';
import { figuresOf, NO_FIGURES, quantileOf, together } from '../../web/live/figures.ts';
import type { Frame, Histogram, ModelNumbers, Run, Welcome } from '../../web/live/protocol.ts';
import { advance, ALL, begin, busyLately, lately, numbersOf } from '../../web/live/state.ts';

/** What the page makes of what it is told. */

const BOUNDS = { seconds: [0.001, 0.01, 0.1], items: [1, 2, 4] };
const NONE: Histogram = { count: 0, sum: 0, ranges: [0, 0, 0, 0] };

function numbers(more: Partial<ModelNumbers> = {}): ModelNumbers {
  return {
    ...{ waiting: 0, running: 0, permits: 0, permitsLimit: 256, predictedWaitS: 0 },
    ...{ requests: {}, rejects: {}, left: {}, cuts: {}, work: {}, request: NONE, wait: NONE, run: NONE, batch: NONE },
    ...more,
  };
}

/** Sums of fractions drift. */
const rounded = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.round(value * 1e6) / 1e6;

test('what only grows becomes what happened in a time', () => {
  const earlier = numbers({
    requests: { 200: 10, 500: 1 },
    rejects: { QUEUE_FULL: 4 },
    batch: { count: 5, sum: 10, ranges: [0, 5, 0, 0] },
  });
  const later = numbers({
    requests: { 200: 30, 422: 2, 429: 9, 499: 2, 500: 1 },
    rejects: { QUEUE_FULL: 10, WAIT_TOO_LONG: 2, TOO_LARGE: 1 },
    left: { late: 2, cancelled: 1 },
    request: { count: 20, sum: 0.4, ranges: [0, 10, 10, 0] },
    run: { count: 5, sum: 0.05, ranges: [0, 5, 0, 0] },
    batch: { count: 10, sum: 30, ranges: [0, 5, 5, 0] },
  });
  const figures = figuresOf(later, earlier, { seconds: 2, bounds: BOUNDS });
  assert.deepEqual(
    { ...figures, latencyP50: rounded(figures.latencyP50), latencyP99: rounded(figures.latencyP99) },
    {
      // Neither who left is answered, nor is what failed by its own fault refused for want of room.
      ...{ seconds: 2, okPerS: 10, refusedPerS: 5, failedPerS: 1, leftPerS: 1, itemsPerS: 10, runsPerS: 2.5 },
      ...{ latencyP50: 10, latencyP99: 98.2, waitP50: undefined, waitP99: undefined, runMs: 10, batch: 4 },
      ...{
        cuts: {},
        rejects: { QUEUE_FULL: 6, WAIT_TOO_LONG: 2, TOO_LARGE: 1 },
        left: { late: 2, cancelled: 1 },
        work: {},
      },
      sizes: [0, 0, 5, 0],
    },
  );
});

test('a server that counts from 0 again has done nothing less than nothing', () => {
  const figures = figuresOf(
    numbers(),
    numbers({ requests: { 200: 5 }, batch: { count: 1, sum: 1, ranges: [1, 0, 0, 0] } }),
    {
      seconds: 1,
      bounds: BOUNDS,
    },
  );
  assert.deepEqual(figures, { ...NO_FIGURES, seconds: 1, sizes: [0, 0, 0, 0] });
});

test('quantiles lie within the range of their observation', () => {
  const of = (ranges: readonly number[], quantile: number): number | undefined =>
    rounded(quantileOf({ count: 0, sum: 0, ranges }, BOUNDS.seconds, quantile));
  assert.equal(of([0, 0, 0, 0], 0.5), undefined);
  assert.equal(of([4, 0, 0, 0], 0.5), 0.0005);
  assert.equal(of([0, 4, 0, 0], 1), 0.01);
  // Beyond the last bound nothing more is known.
  assert.equal(of([0, 0, 0, 1], 0.99), 0.1);
});

test('several models are one', () => {
  assert.equal(together([]), undefined);
  const sum = together([
    numbers({ waiting: 1, predictedWaitS: 3, cuts: { empty: 1 }, run: { count: 1, sum: 2, ranges: [1, 0, 0, 0] } }),
    numbers({
      waiting: 2,
      predictedWaitS: 1,
      cuts: { empty: 2, items: 1 },
      run: { count: 3, sum: 4, ranges: [1, 2, 0, 0] },
    }),
  ]);
  assert.deepEqual(
    [sum?.waiting, sum?.predictedWaitS, sum?.cuts, sum?.run],
    [3, 3, { empty: 3, items: 1 }, { count: 4, sum: 6, ranges: [2, 2, 0, 0] }],
  );
});

const PROCESS = { residentBytes: 1, heapBytes: 1, cpuS: 0, connections: 0, delayP99Ms: 0, delayMaxMs: 0 };

function frame(atMs: number, more: Partial<Frame> = {}): Frame {
  return { atMs, phase: 'ready', why: '', process: PROCESS, lanes: [], ...more };
}

function welcome(first: Frame, { wallMs = 0, instance = 'a' } = {}): Welcome {
  return {
    version: '1',
    instance,
    everyMs: 250,
    bounds: BOUNDS,
    manages: false,
    listsJobs: false,
    wallMs,
    frame: first,
  };
}

const run = (id: number, startMs: number, ms: number | null): Run => ({
  ...{ id, lane: 0, model: 'a', startMs, ms, items: 1, steps: 1, cut: 'empty', riders: [], unnamed: 0 },
});

test('frames add up, and what they do not tell stays', () => {
  let state = begin(
    welcome(
      frame(1000, {
        numbers: { a: numbers({ requests: { 200: 1 } }), '': numbers({ requests: { 404: 9 } }) },
        models: [],
        runs: [run(1, 900, null)],
      }),
    ),
  );
  state = advance(state, frame(2000, { numbers: { b: numbers({ requests: { 200: 5 } }) }, runs: [run(1, 900, 50)] }));
  assert.deepEqual([...state.numbers.keys()], ['a', '', 'b']);
  assert.equal(state.runs.get(1)?.ms, 50);
  // Requests that named no model are nobody's.
  assert.deepEqual(numbersOf(state, ALL)?.requests, { 200: 6 });
  assert.equal(lately(state, 'b', 10_000)?.okPerS, 5);
  assert.equal(lately(state, 'nothing', 10_000), undefined);
  assert.equal(lately(begin(welcome(frame(1))), ALL, 10_000), undefined);
});

test('plots have a point a second, and forget what is older than five minutes', () => {
  let state = begin(welcome(frame(0, { numbers: { a: numbers() } })));
  for (let atMs = 250; atMs <= 400_000; atMs += 250)
    state = advance(state, frame(atMs, { numbers: { a: numbers({ requests: { 200: atMs / 250 } }) } }));
  const points = state.points.get('a') ?? [];
  assert.equal(points.length, 300);
  assert.ok(points.every(({ figures }) => Math.abs((figures?.okPerS ?? 0) - 4) < 1e-9));
  assert.equal(state.processPoints.length, 300);
  assert.ok(state.samples.length <= 241);
});

test('old runs and too many are forgotten, those that go on are not', () => {
  let state = begin(welcome(frame(0, { runs: [run(1, 0, 10)] })));
  state = advance(state, frame(400_000, { runs: [run(2, 399_000, null)] }));
  assert.deepEqual([...state.runs.keys()], [2]);
  const many = Array.from({ length: 7000 }, (_, index) => run(index + 3, 400_000 + index / 10, 0.1));
  state = advance(state, frame(401_000, { runs: many }));
  assert.equal(state.runs.size, 6000);
});

test('a stream that was broken goes on, unless another server answers', () => {
  const before = advance(begin(welcome(frame(0))), frame(1000, { runs: [run(1, 0, 1)] }));
  // The clock on the wall may have been set meanwhile.
  const same = begin(welcome(frame(3000, { runs: [run(2, 2000, 1)] }), { wallMs: 90_000 }), before);
  assert.deepEqual([...same.runs.keys()], [1, 2]);
  assert.equal(same.samples.length, 3);
  // Nothing is known of what ran before the page was there, and while it was not.
  assert.deepEqual(same.gaps, [
    { fromMs: -Infinity, toMs: 0 },
    { fromMs: 1000, toMs: 2000 },
  ]);
  const other = begin(welcome(frame(10, { runs: [run(1, 5, 1)] }), { instance: 'b' }), before);
  assert.deepEqual([[...other.runs.keys()], other.samples.length], [[1], 1]);
  assert.deepEqual(other.gaps, [{ fromMs: -Infinity, toMs: 5 }]);
});

test('plots are broken where nothing was told, and gaps are forgotten like all else', () => {
  let state = begin(welcome(frame(0, { numbers: { a: numbers() } })));
  for (let atMs = 250; atMs <= 2000; atMs += 250) state = advance(state, frame(atMs));
  state = begin(welcome(frame(32_000, { numbers: { a: numbers({ requests: { 200: 9000 } }) } })), state);
  state = advance(state, frame(33_000));
  const figures = (state.points.get('a') ?? []).map((point) => point.figures?.okPerS);
  assert.deepEqual(figures, [0, 0, undefined, 0]);
  assert.deepEqual(
    state.processPoints.map(({ busy }) => busy),
    [0, 0, undefined, 0],
  );
  assert.equal(state.gaps.length, 2);
  assert.deepEqual(advance(state, frame(400_000)).gaps, []);
});

test('sizes of runs are told in ranges that double, up to the largest that was seen', () => {
  const bounds = [1, 2, 3, 4, 6, 8, 12, 16];
  assert.deepEqual(sizeRows([0, 0, 0, 0, 0, 0, 0, 0, 0], bounds), []);
  assert.deepEqual(sizeRows([], bounds), []);
  assert.deepEqual(sizeRows([7, 0, 1, 2, 4, 0, 0, 0, 0], bounds), [
    ['1', 7],
    ['2', 0],
    ['3 to 4', 3],
    ['5 to 8', 4],
  ]);
  assert.deepEqual(sizeRows([0, 0, 0, 0, 0, 0, 0, 0, 3], bounds).at(-1), ['more than 16', 3]);
});

test('busy is a part of the time', () => {
  const lanes = (busyS: number): Partial<Frame> => ({ lanes: [{ lane: 0, device: 'cpu', up: true, busyS }] });
  let state = begin(welcome(frame(0, lanes(10))));
  const read = (sample: Pick<Frame, 'lanes'>): number => sample.lanes[0]?.busyS ?? 0;
  assert.equal(busyLately(state, 10_000, read), 0);
  state = advance(state, frame(2000, lanes(11)));
  assert.equal(busyLately(state, 10_000, read), 0.5);
});

test('numbers are as short as people read them', () => {
  assert.deepEqual([undefined, 0, 0.001, 0.126, 3, 12.34, 1234.5, 12_345, 2.5e6].map(short), [
    '–',
    '0',
    '0',
    '0.13',
    '3',
    '12.3',
    '1,235',
    '12.3k',
    '2.5M',
  ]);
  assert.deepEqual([undefined, 0, 0.0123, 1.234, 45.67, 1500, 90_000].map(duration), [
    '–',
    '0 ms',
    '12 µs',
    '1.23 ms',
    '45.7 ms',
    '1.5 s',
    '1.5 min',
  ]);
  assert.deepEqual([bytes(3 * 2 ** 20), bytes(1.5 * 2 ** 30), percent(0.856)], ['3 MiB', '1.5 GiB', '86 %']);
  assert.deepEqual([0, 0.003, 0.005, 1].map(percent), ['0 %', '< 1 %', '1 %', '100 %'], 'a few failures are not none');
  assert.deepEqual([bytes(0), bytes(900), bytes(322_000)], ['0 B', '900 B', '314 KiB']);
  assert.deepEqual([59_000, 61_000, 3_700_000, 90_000_000].map(upTime), [
    'less than a minute',
    '1 min',
    '1 h 1 min',
    '1 d 1 h',
  ]);
  assert.deepEqual([plural(1, 'batch', 'batches'), plural(1200, 'batch', 'batches')], ['1 batch', '1,200 batches']);
  // A clock that is behind shows nothing of the future.
  assert.deepEqual([-5000, 12_400, 89_000].map(age), ['0 s', '12 s', '1 min']);
});
