import assert from 'node:assert/strict';
import test from 'node:test';
import { bytes, duration, percent, plural, short } from '../../web/format.ts';
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
    rejects: { QUEUE_FULL: 10, WAIT_TOO_LONG: 2 },
    request: { count: 20, sum: 0.4, ranges: [0, 10, 10, 0] },
    run: { count: 5, sum: 0.05, ranges: [0, 5, 0, 0] },
    batch: { count: 10, sum: 30, ranges: [0, 5, 5, 0] },
  });
  const figures = figuresOf(later, earlier, { seconds: 2, bounds: BOUNDS });
  assert.deepEqual(
    { ...figures, latencyP50: rounded(figures.latencyP50), latencyP99: rounded(figures.latencyP99) },
    {
      ...{ seconds: 2, okPerS: 11, refusedPerS: 4, failedPerS: 1, itemsPerS: 10, runsPerS: 2.5 },
      ...{ latencyP50: 10, latencyP99: 98.2, waitP50: undefined, waitP99: undefined, runMs: 10, batch: 4 },
      ...{ cuts: {}, rejects: { QUEUE_FULL: 6, WAIT_TOO_LONG: 2 }, work: {} },
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
  assert.deepEqual(figures, { ...NO_FIGURES, seconds: 1 });
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

function welcome(first: Frame, wallMs = 0): Welcome {
  return { version: '1', everyMs: 250, bounds: BOUNDS, manages: false, listsJobs: false, wallMs, frame: first };
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
  assert.ok(points.every(({ figures }) => Math.abs(figures.okPerS - 4) < 1e-9));
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
  const before = advance(begin(welcome(frame(0), 5000)), frame(1000, { runs: [run(1, 0, 1)] }));
  const same = begin(welcome(frame(3000, { runs: [run(2, 2000, 1)] }), 5100), before);
  assert.deepEqual([...same.runs.keys()], [1, 2]);
  assert.equal(same.samples.length, 3);
  const other = begin(welcome(frame(10, { runs: [run(1, 5, 1)] }), 90_000), before);
  assert.deepEqual([[...other.runs.keys()], other.samples.length], [[1], 1]);
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
  assert.deepEqual([plural(1, 'batch', 'batches'), plural(1200, 'batch', 'batches')], ['1 batch', '1,200 batches']);
});
