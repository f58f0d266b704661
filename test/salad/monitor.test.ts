import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { judge, type MonitorLimits, type WindowFacts } from '../../src/salad/judgement.ts';
import { Monitor, type LaneRun } from '../../src/salad/monitor.ts';
import { FakeClock } from '../core/fake-clock.ts';

const LIMITS: MonitorLimits = {
  leastSamples: 10,
  itemsPerSecond: { floor: 5, low: 20 },
  realtimeFactor: { floor: 10, low: 50 },
  mostErrorPercent: 20,
  mostCelsius: 80,
  mostMemoryPercent: 95,
};
const FINE: WindowFacts = {
  samples: 100,
  itemsPerSecond: 100,
  errorPercent: 0,
  realtimeFactor: undefined,
  celsius: undefined,
  memoryPercent: undefined,
};

const verdictOf = (facts: Partial<WindowFacts>): string => judge({ ...FINE, ...facts }, LIMITS).verdict;

test('a window is judged by its limits, and by speed only with enough samples', () => {
  assert.equal(verdictOf({}), 'good');
  assert.equal(verdictOf({ itemsPerSecond: 19 }), 'low');
  assert.equal(verdictOf({ itemsPerSecond: 4 }), 'unfit');
  assert.equal(verdictOf({ itemsPerSecond: 4, samples: 9 }), 'unknown');
  assert.equal(verdictOf({ realtimeFactor: 49 }), 'low');
  assert.equal(verdictOf({ realtimeFactor: 9 }), 'unfit');
  assert.equal(verdictOf({ errorPercent: 21 }), 'unfit');
  assert.equal(verdictOf({ errorPercent: 21, samples: 3 }), 'unknown');
});

test('heat and memory cut the queues, and give no node up', () => {
  assert.equal(verdictOf({ celsius: 81, samples: 0 }), 'low');
  assert.equal(verdictOf({ memoryPercent: 96 }), 'low');
  assert.equal(verdictOf({ celsius: 80, memoryPercent: 95 }), 'good');
});

const WINDOW_MS = 300_000;

function rig() {
  const clock = new FakeClock();
  const parts: number[] = [];
  const reasons: string[] = [];
  const state = { audio: 0 };
  const ignore = (): void => undefined;
  const monitor = new Monitor({
    clock,
    log: { info: ignore, warn: ignore, error: ignore } as never,
    limits: LIMITS,
    windowMs: WINDOW_MS,
    readGpu: undefined,
    audioSeconds: () => Promise.resolve(state.audio),
    limitQueues: (part) => void parts.push(part),
    giveUp: (reason) => Promise.resolve(void reasons.push(reason)),
  });
  /** A window in which this many items ran for so long each. */
  const window = async (items: number, wallMs: number, more: Partial<LaneRun> = {}): Promise<void> => {
    for (let index = 0; index < items; index += 1) monitor.ran({ items: 1, tickets: 1, wallMs, ...more });
    await clock.advance(WINDOW_MS);
  };
  return { clock, monitor, window, parts, reasons, state };
}

test('queues are halved down to a quarter while a node is slow, and grow again when it is not', async () => {
  const { monitor, window, parts, reasons } = rig();
  await monitor.start();
  for (let times = 0; times < 3; times += 1) await window(50, 100);
  assert.deepEqual(parts, [0.5, 0.25]);
  await window(5, 1);
  assert.deepEqual(parts, [0.5, 0.25], 'an idle window says nothing');
  for (let times = 0; times < 3; times += 1) await window(50, 1);
  assert.deepEqual(parts, [0.5, 0.25, 0.5, 1]);
  assert.deepEqual(reasons, []);
  monitor.stop();
});

test('a node is given up after two windows in a row below the floor', async () => {
  const { monitor, window, reasons } = rig();
  await monitor.start();
  await window(50, 1000);
  await window(50, 1);
  await window(50, 1000);
  assert.deepEqual(reasons, []);
  await window(50, 1000);
  assert.deepEqual(reasons, ['1.0 items a second, at least 5 are wanted']);
  monitor.stop();
});

test('faults of the server count as errors, those of the input do not', async () => {
  const failed = (error: ServerError): Partial<LaneRun> => ({
    report: { outcomes: [{ ok: false, error }], runMs: 1, stackMs: 0, splitMs: 0 },
  });
  const { monitor, window, reasons } = rig();
  await monitor.start();
  for (let times = 0; times < 3; times += 1) await window(50, 1, failed(new ServerError('INFERENCE_FAILED')));
  assert.deepEqual(reasons, []);
  await window(50, 1, failed(new ServerError('INTERNAL')));
  await window(50, 1, { error: new ServerError('LANE_LOST') });
  assert.deepEqual(reasons, ['100.0 % of errors, at most 20 are wanted']);
  monitor.stop();
});

test('the real-time factor is of the audio of the window, and of the time that lanes ran', async () => {
  const { monitor, window, reasons, state } = rig();
  state.audio = 1000;
  await monitor.start();
  for (let times = 0; times < 2; times += 1) {
    state.audio += 30;
    await window(100, 100);
  }
  assert.deepEqual(reasons, ['3.0 real-time factor, at least 10 are wanted']);
  monitor.stop();
});

test('after it was stopped nothing is judged', async () => {
  const { clock, monitor, window, parts } = rig();
  await monitor.start();
  monitor.stop();
  await window(50, 100);
  assert.deepEqual(parts, []);
  assert.equal(clock.timers, 0);
});
