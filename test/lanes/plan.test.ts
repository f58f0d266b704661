import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planLanes, type PlanOptions } from '../../src/lanes/plan.ts';

const plan = (options: Partial<PlanOptions>) =>
  planLanes({ device: 'auto', lanes: 0, laneThreads: 0, cores: 4, gpus: [], ...options });
const shape = ({ lanes }: ReturnType<typeof planLanes>): [number, number] => [
  lanes.length,
  lanes[0]?.intraOpThreads ?? 0,
];

/** Cores, then lanes and threads of each: one core is left to the main thread, the rest goes to lanes of about four. */
for (const [cores, lanes, threads] of [
  [1, 1, 1],
  [2, 1, 1],
  [4, 1, 3],
  [5, 1, 4],
  [8, 2, 3],
  [16, 4, 3],
  [64, 16, 3],
] as const)
  test(`${cores} cores: ${lanes} lane(s) of ${threads} thread(s), never more threads than cores`, () => {
    for (const device of ['auto', 'cpu']) {
      const chosen = plan({ device, cores });
      assert.deepEqual(shape(chosen), [lanes, threads]);
      assert.ok(lanes * threads <= Math.max(1, cores - 1));
      assert.ok(chosen.lanes.every((lane) => lane.device.kind === 'cpu'));
      assert.match(chosen.why, new RegExp(`${cores} cores.*${lanes} lane`));
    }
  });

/** Options, then lanes and threads of each. */
const chosen: readonly [Partial<PlanOptions>, number, number][] = [
  [{ cores: 16, lanes: 2 }, 2, 7],
  [{ cores: 16, laneThreads: 5 }, 3, 5],
  [{ cores: 16, lanes: 3, laneThreads: 2 }, 3, 2],
  [{ cores: 2, lanes: 4 }, 4, 1],
  [{ cores: 2, laneThreads: 8 }, 1, 8],
];
for (const [options, lanes, threads] of chosen)
  test(`LANES and LANE_THREADS are kept: ${JSON.stringify(options)}`, () => {
    assert.deepEqual(shape(plan(options)), [lanes, threads]);
  });

const devices = (options: Partial<PlanOptions>): unknown[] => plan(options).lanes.map(({ device }) => device);
const gpu = (index: number) => ({ kind: 'cuda', index });

test('auto takes every GPU there is, a lane of one thread for each', () => {
  assert.deepEqual(devices({ gpus: [0, 1, 3] }), [gpu(0), gpu(1), gpu(3)]);
  assert.ok(plan({ gpus: [0, 1], cores: 64 }).lanes.every(({ intraOpThreads }) => intraOpThreads === 1));
  assert.match(plan({ gpus: [0, 1] }).why, /2 NVIDIA/);
});

test('auto without a GPU says that there is none', () => {
  assert.match(plan({ device: 'auto' }).why, /no NVIDIA device/);
  assert.doesNotMatch(plan({ device: 'cpu' }).why, /NVIDIA/);
});

test('cpu leaves GPUs alone', () => {
  assert.deepEqual(devices({ device: 'cpu', gpus: [0] }), [{ kind: 'cpu' }]);
});

test('cuda wants a GPU even where none was found, and cuda:n that one alone', () => {
  assert.deepEqual(devices({ device: 'cuda', gpus: [] }), [gpu(0)]);
  assert.deepEqual(devices({ device: 'cuda', gpus: [1, 2] }), [gpu(1), gpu(2)]);
  assert.deepEqual(devices({ device: 'cuda:2', gpus: [0] }), [gpu(2)]);
  assert.deepEqual(devices({ device: 'cuda:10', gpus: [] }), [gpu(10)]);
});
