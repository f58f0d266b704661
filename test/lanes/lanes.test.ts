import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import type { Outcome } from '../../src/core/ticket.ts';
import type { Tensor } from '../../src/tensors/tensor.ts';
import { Lanes, type TensorLane } from '../../src/lanes/lanes.ts';
import type { ModelSpec } from '../../src/model-spec.ts';
import { planLanes, type LanePlan } from '../../src/lanes/plan.ts';
import { refusal } from '../tasks/support.ts';
import { elements, specOf, TABLE, TABLE_SIGNATURE, tensor, writeModel } from '../onnx/models.ts';
import { until, watchWorkers } from './threads.ts';

const onCpu = (lanes: number): LanePlan => planLanes({ device: 'cpu', lanes, laneThreads: 1, cores: 2, gpus: [] });

/** Real lanes, and the events that they reported: `up 0 cpu`, `down 0`, `failed: ...`. */
function openLanes(t: TestContext) {
  const told: string[] = [];
  const up = new Map<number, TensorLane>();
  const lanes = new Lanes({
    onUp(lane, device) {
      told.push(`up ${lane.id} ${device}`);
      up.set(lane.id, lane);
    },
    onDown(id) {
      told.push(`down ${id}`);
      up.delete(id);
    },
    onLate: (id) => void told.push(`late ${id}`),
    onModelLost: (key) => void told.push(`lost ${key}`),
    onFailed: (reason) => void told.push(`failed: ${reason}`),
  });
  t.after(() => lanes.close());
  return { lanes, up, told };
}

async function place(lanes: Lanes, model: ModelSpec, laneIds: readonly number[], runLimitMs = 60_000): Promise<void> {
  const signature = TABLE_SIGNATURE;
  const threads = laneIds.map((id) => lanes.thread(id));
  for (const id of laneIds) await lanes.thread(id).command({ kind: 'load', model, signature });
  lanes.place(
    {
      spec: model,
      signature,
      laneIds,
      runLimitMs,
      warm: {
        sizes: [1, 2],
        limits: { maxItems: 2, maxCost: Infinity },
        budget: { runMs: 60_000, allMs: 60_000, repeat: false },
        row: [tensor('INT64', [1], [1])],
      },
    },
    threads,
  );
}

const ids = (...of: number[]) => of.map((id) => ({ id, payload: { inputs: [tensor('INT64', [1], [id])] } }));

/** The first output of a ticket that is done. */
const resultOf = (outcome: Outcome<readonly Tensor[]> | undefined) =>
  outcome !== undefined && 'result' in outcome && elements(outcome.result[0]);

test('lanes start, run and close without a report', async (t) => {
  const { lanes, up, told } = openLanes(t);
  await lanes.start(onCpu(2));
  assert.deepEqual(told, ['up 0 cpu', 'up 1 cpu']);
  assert.deepEqual(lanes.choose(undefined, undefined), [0, 1]);
  assert.deepEqual(lanes.choose(['cpu'], 1), [0]);
  assert.throws(() => lanes.choose(['cuda'], undefined), /no lane runs on cuda/);
  const model = specOf(await writeModel(t, TABLE));
  await place(lanes, model, [0, 1]);
  for (const id of [0, 1]) {
    const report = await up.get(id)?.run(model.key, ids(2, 99));
    const [good, bad] = report?.outcomes ?? [];
    assert.deepEqual(resultOf(good), [2, 20]);
    assert.ok(bad?.ok === false && bad.error.code === 'INFERENCE_FAILED');
  }
  await lanes.unload(model.key);
  await assert.rejects(up.get(0)?.run(model.key, ids(1)) ?? Promise.resolve(), refusal('MODEL_UNAVAILABLE'));
});

test('a model whose file was broken meanwhile is lost by itself when its lane is filled again', async (t) => {
  const { lanes, up, told } = openLanes(t);
  await lanes.start(onCpu(1));
  const mortal = specOf(await writeModel(t, TABLE), { key: 'mortal/1#1', simulate: { dieAtRun: 1 } });
  const broken = specOf(await writeModel(t, TABLE), { key: 'broken/1#2' });
  await place(lanes, broken, [0]);
  await place(lanes, mortal, [0]);
  await writeFile(broken.weights, 'junk');
  await assert.rejects(up.get(0)?.run(mortal.key, ids(1)) ?? Promise.resolve(), refusal('LANE_LOST'));
  await until(() => told.length === 4);
  assert.deepEqual(told, ['up 0 cpu', 'down 0', 'lost broken/1#2', 'up 0 cpu']);
  const report = await up.get(0)?.run(mortal.key, ids(3));
  assert.deepEqual(resultOf(report?.outcomes[0]), [3, 30]);
});

test(
  'a lane that dies gets a new thread, filled with its models, and no second death',
  { timeout: 30_000 },
  async (t) => {
    const { lanes, up, told } = openLanes(t);
    await lanes.start(onCpu(2));
    const mortal = specOf(await writeModel(t, TABLE), { key: 'mortal/1#1', simulate: { dieAtRun: 1 } });
    const other = specOf(mortal.weights, { key: 'other/1#2' });
    const elsewhere = specOf(mortal.weights, { key: 'elsewhere/1#3' });
    await place(lanes, mortal, [0]);
    await place(lanes, other, [0, 1]);
    await place(lanes, elsewhere, [1]);
    await assert.rejects(up.get(0)?.run(mortal.key, ids(1)) ?? Promise.resolve(), refusal('LANE_LOST'));
    await until(() => told.length === 4);
    assert.deepEqual(told, ['up 0 cpu', 'up 1 cpu', 'down 0', 'up 0 cpu']);
    for (const { key } of [mortal, mortal, other]) {
      const report = await up.get(0)?.run(key, ids(3));
      assert.deepEqual(resultOf(report?.outcomes[0]), [3, 30]);
    }
    await assert.rejects(up.get(0)?.run(elsewhere.key, ids(1)) ?? Promise.resolve(), refusal('INTERNAL'));
  },
);

test('a lane that dies while idle is replaced as well', { timeout: 30_000 }, async (t) => {
  const workers = watchWorkers(t);
  const { lanes, up, told } = openLanes(t);
  await lanes.start(onCpu(1));
  const model = specOf(await writeModel(t, TABLE));
  await place(lanes, model, [0]);
  await workers[0]?.terminate();
  await until(() => told.length === 3);
  assert.deepEqual(told, ['up 0 cpu', 'down 0', 'up 0 cpu']);
  const report = await up.get(0)?.run(model.key, ids(4));
  assert.deepEqual(resultOf(report?.outcomes[0]), [4, 40]);
});

test('a lane that dies while a model is loaded lacks it, and that is reported', { timeout: 30_000 }, async (t) => {
  const workers = watchWorkers(t);
  const { lanes, told } = openLanes(t);
  await lanes.start(onCpu(1));
  const model = specOf(await writeModel(t, TABLE));
  const threads = [lanes.thread(0)];
  const placement = { spec: model, signature: TABLE_SIGNATURE, laneIds: [0], runLimitMs: 1000 };
  await threads[0]?.command({ kind: 'load', model });
  await workers[0]?.terminate();
  await until(() => told.includes('down 0'));
  assert.throws(() => lanes.place(placement, threads), refusal('LANE_LOST'));
  await lanes.replaced();
  assert.deepEqual(told, ['up 0 cpu', 'down 0', 'up 0 cpu']);
  assert.throws(() => lanes.place(placement, threads), refusal('LANE_LOST'));
  lanes.place(placement, [lanes.thread(0)]);
});

test('lanes that keep dying make the server failed instead of trying for ever', { timeout: 60_000 }, async (t) => {
  const workers = watchWorkers(t);
  const { lanes, told } = openLanes(t);
  await lanes.start(onCpu(1));
  for (let death = 1; death <= 4; death += 1) {
    await until(() => told.filter((line) => line === 'up 0 cpu').length === death);
    const told4 = told.length;
    await workers.at(-1)?.terminate();
    await until(() => told.length > told4);
  }
  await until(() => told.some((line) => line.startsWith('failed')));
  assert.equal(told.filter((line) => line === 'down 0').length, 4);
  assert.match(told.at(-1) ?? '', /died 4 times within a minute/);
});

test('a device that does not work is an error in words, and leaves nothing behind for the next plan', async (t) => {
  const { lanes, told } = openLanes(t);
  const cuda: LanePlan = {
    lanes: [
      { device: { kind: 'cpu' }, intraOpThreads: 1 },
      { device: { kind: 'cuda', index: 0 }, intraOpThreads: 1 },
    ],
    why: '',
  };
  await assert.rejects(lanes.start(cuda), /cuda:0.*CUDA/s);
  assert.deepEqual(told, []);
  await lanes.start(onCpu(1));
  assert.deepEqual(told, ['up 0 cpu']);
  assert.deepEqual(lanes.choose(undefined, undefined), [0]);
});

test(
  'a run beyond its limit is reported as late while it goes on, and is not a failure',
  { timeout: 20_000 },
  async (t) => {
    const { lanes, up, told } = openLanes(t);
    await lanes.start(onCpu(1));
    const model = specOf(await writeModel(t, TABLE), { simulate: { runMs: 900 } });
    await place(lanes, model, [0], 200);
    const running = up.get(0)?.run(model.key, ids(1));
    await until(() => told.length === 2);
    assert.deepEqual(told, ['up 0 cpu', 'late 0']);
    assert.deepEqual(lanes.busy, ['lane 0']);
    assert.deepEqual(resultOf((await running)?.outcomes[0]), [1, 10]);
    await lanes.idle();
    assert.deepEqual(told, ['up 0 cpu', 'late 0']);
  },
);

test(
  'a stuck run costs its lane the thread; another takes the lane; a second one is a failure',
  { timeout: 30_000 },
  async (t) => {
    const { lanes, up, told } = openLanes(t);
    await lanes.start(onCpu(1));
    const stuck = specOf(await writeModel(t, TABLE), { key: 'stuck/1#1', simulate: { runMs: 7000 } });
    const other = specOf(stuck.weights, { key: 'other/1#2' });
    await place(lanes, stuck, [0], 200);
    await place(lanes, other, [0]);
    await assert.rejects(up.get(0)?.run(stuck.key, ids(1)) ?? Promise.resolve(), refusal('RUN_TOO_LONG'));
    await until(() => told.length === 4);
    assert.deepEqual(told, ['up 0 cpu', 'late 0', 'down 0', 'up 0 cpu']);
    assert.deepEqual(resultOf((await up.get(0)?.run(other.key, ids(2)))?.outcomes[0]), [2, 20]);
    assert.deepEqual(lanes.busy, ['a stuck thread of lane 0']);
    const second = up.get(0)?.run(stuck.key, ids(1));
    await until(() => told.length === 6);
    assert.match(told[5] ?? '', /^failed: a run on lane 0 is stuck/);
    // Only when they have ended may the threads be closed.
    await second;
    await lanes.idle();
    assert.deepEqual(lanes.busy, []);
  },
);
