import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceName } from '../../src/lanes/lane.ts';
import { fromTypedArray } from '../../src/tensors/tensor.ts';
import { refusal } from '../tasks/support.ts';
import { elements, simple, specOf, TABLE, TABLE_SIGNATURE, tensor, writeModel } from '../onnx/models.ts';
import { openLane, until, watchWorkers } from './threads.ts';

const LIMITS = { maxItems: 4, maxCost: Infinity };
const WARMTH = { runMs: 60_000, allMs: 60_000, repeat: false };

test('a lane loads, warms and runs', async (t) => {
  const { lane, lost } = openLane(t);
  const model = specOf(await writeModel(t, TABLE));
  const { key } = model;
  await lane.command({ kind: 'probe' });
  const loaded = await lane.command({ kind: 'load', model });
  assert.deepEqual(loaded.signature.inputs[0], { name: 'id', datatype: 'INT64', shape: [-1], batchAxis: 0 });
  await lane.command({ kind: 'load', model, signature: TABLE_SIGNATURE });
  const row = [tensor('INT64', [1], [3])];
  const { runs } = await lane.command({ kind: 'warm', key, sizes: [1, 4], limits: LIMITS, row, budget: WARMTH });
  assert.deepEqual(
    runs.map(({ items }) => items),
    [1, 4],
  );
  const before = lane.progress;
  const answer = await lane.ask({
    kind: 'run',
    key,
    tickets: [
      { id: 1, inputs: [tensor('INT64', [1], [3])] },
      { id: 2, inputs: [tensor('INT64', [2], [1, 2])] },
    ],
  });
  assert.ok(answer.ok);
  assert.deepEqual(
    answer.outcomes.map((outcome) => 'outputs' in outcome && elements(outcome.outputs[0])),
    [
      [3, 30],
      [1, 10, 2, 20],
    ],
  );
  assert.deepEqual(lane.progress, { begun: before.begun + 1, ended: before.ended + 1 });
  await lane.command({ kind: 'unload', key });
  const after = await lane.ask({ kind: 'run', key, tickets: [] });
  assert.ok(!after.ok && after.code === 'INTERNAL');
  assert.deepEqual(lost, []);
});

test('what goes wrong on a lane comes back tagged, and the lane lives on', async (t) => {
  const { lane, lost } = openLane(t);
  await assert.rejects(lane.command({ kind: 'load', model: specOf('/nowhere/model.onnx') }), /model\.onnx/);
  const run = await lane.ask({ kind: 'run', key: 'other', tickets: [] });
  assert.ok(!run.ok);
  assert.deepEqual([run.code, run.message], ['INTERNAL', 'model other is not on this lane']);
  await lane.command({ kind: 'probe' });
  assert.deepEqual([lane.lost, lost], [false, []]);
});

test('large inputs and outputs change hands, small ones are copied', async (t) => {
  const { lane } = openLane(t);
  const model = specOf(await writeModel(t, simple('Mul', 'FP32', ['batch', 'n'])));
  await lane.command({ kind: 'load', model });
  const values = Float32Array.from({ length: 2048 }, (_, index) => index % 7);
  const large = fromTypedArray('FP32', [1, 2048], values.slice());
  const small = fromTypedArray('FP32', [1, 4], new Float32Array([1, 2, 3, 4]));
  const answer = await lane.ask({ kind: 'run', key: model.key, tickets: [{ id: 1, inputs: [large] }] });
  assert.equal(large.data.byteLength, 0);
  const outcome = answer.ok ? answer.outcomes[0] : undefined;
  assert.ok(outcome?.ok && 'outputs' in outcome);
  const [output] = outcome.outputs;
  assert.deepEqual(
    elements(output),
    Array.from(values, (x) => x * x),
  );
  await lane.ask({ kind: 'run', key: model.key, tickets: [{ id: 2, inputs: [small] }] });
  assert.equal(small.data.byteLength, 16);
});

test('requests that are sent together are served one after the other', async (t) => {
  const { lane } = openLane(t);
  const model = specOf(await writeModel(t, TABLE));
  const run = (id: number) =>
    lane.ask({ kind: 'run', key: model.key, tickets: [{ id, inputs: [tensor('INT64', [1], [id])] }] });
  const [loaded, ...answers] = await Promise.all([lane.ask({ kind: 'load', model }), run(1), run(2), run(3)]);
  assert.ok(loaded.ok);
  for (const [index, answer] of answers.entries()) {
    const outcome = answer.ok ? answer.outcomes[0] : undefined;
    assert.ok(outcome?.ok === true && 'outputs' in outcome, JSON.stringify(answer));
    assert.deepEqual(elements(outcome.outputs[0]), [index + 1, 10 * (index + 1)]);
  }
});

test('giving a lane up fails its run, and the one behind it with an error that says so', async (t) => {
  const { lane, lost } = openLane(t);
  const model = specOf(await writeModel(t, TABLE), { simulate: { runMs: 300 } });
  await lane.command({ kind: 'load', model });
  const run = () =>
    lane.ask({ kind: 'run', key: model.key, tickets: [{ id: 1, inputs: [tensor('INT64', [1], [1])] }] });
  const [first, behind] = [run(), run()];
  lane.giveUp('late');
  await assert.rejects(first, refusal('RUN_TOO_LONG'));
  await assert.rejects(behind, refusal('LANE_LOST'));
  assert.deepEqual(lost, ['late']);
  // The thread ends by itself once its runs have.
  await until(() => !lane.isBusy);
});

test('a request that cannot be sent is an error of its own; the lane is not lost', async (t) => {
  const { lane, lost } = openLane(t);
  const model = { ...specOf('x'), session: { hook: () => undefined } };
  await assert.rejects(lane.ask({ kind: 'load', model }), refusal('INTERNAL'));
  await lane.command({ kind: 'probe' });
  assert.deepEqual([lane.lost, lost], [false, []]);
});

test('a thread that ends inside a run gives LANE_LOST to that and all later requests, and is reported once', async (t) => {
  const { lane, lost } = openLane(t);
  const model = specOf(await writeModel(t, TABLE), { simulate: { dieAtRun: 2 } });
  await lane.command({ kind: 'load', model });
  const run = () =>
    lane.ask({ kind: 'run', key: model.key, tickets: [{ id: 1, inputs: [tensor('INT64', [1], [1])] }] });
  assert.ok((await run()).ok);
  await assert.rejects(run(), refusal('LANE_LOST'));
  await assert.rejects(run(), refusal('LANE_LOST'));
  await assert.rejects(lane.command({ kind: 'probe' }), refusal('LANE_LOST'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(lane.lost, true);
  assert.equal(lost.length, 1);
  assert.match(lost[0] ?? '', /exited with code: 1/);
});

test('a thread that ends while idle is noticed without a request', { timeout: 20_000 }, async (t) => {
  const workers = watchWorkers(t);
  const { lane, lost } = openLane(t);
  await lane.command({ kind: 'probe' });
  assert.equal(workers.length, 1);
  await workers[0]?.terminate();
  await until(() => lane.lost);
  assert.equal(lost.length, 1);
  await assert.rejects(lane.command({ kind: 'probe' }), refusal('LANE_LOST'));
});

test('closing an idle lane is not losing it', async (t) => {
  const { lane, lost } = openLane(t);
  await lane.command({ kind: 'probe' });
  await lane.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([lane.lost, lost], [false, []]);
});

test('devices have short names', () => {
  assert.deepEqual([deviceName({ kind: 'cpu' }), deviceName({ kind: 'cuda', index: 3 })], ['cpu', 'cuda:3']);
});
