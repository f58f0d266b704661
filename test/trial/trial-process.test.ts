import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { TrialProcess, type TrialLimits } from '../../src/trial/trial-process.ts';
import { fromTypedArray, type Tensor } from '../../src/tensors/tensor.ts';
import { simple, specOf, TABLE, TABLE_SIGNATURE, tensor, writeModel } from '../onnx/models.ts';
import { until } from '../lanes/threads.ts';

const endlessRow = (): Tensor[] => [
  fromTypedArray('FP32', [1, 6, 10, 2], new Float32Array(120).fill(0.5)),
  tensor('INT64', [], [0]),
];

function openTrials(t: TestContext, limits: Partial<TrialLimits> = {}): TrialProcess {
  const trials = new TrialProcess({ openMs: 60_000, runMs: 60_000, allMs: 60_000, ...limits });
  t.after(() => trials.close());
  return trials;
}

const lane = { device: { kind: 'cpu' as const }, intraOpThreads: 1 };
const graph = (weights: string) => ({ model: specOf(weights), lane, bytes: 0 });

/** ONNX's own test of the inverse DFT: with an axis other than the last but one, ONNX Runtime 1.30 does not return from a run. */
const ENDLESS_GRAPH = new URL('../../../test/cases/hangs-at-load/model.onnx', import.meta.url);

async function writeEndless(t: TestContext): Promise<string> {
  const file = await writeModel(t, TABLE);
  await copyFile(ENDLESS_GRAPH, file);
  return file;
}

test('a graph is tried in another process: its batch axes, a row that runs, and what runs took', async (t) => {
  const trials = openTrials(t);
  const file = await writeModel(t, TABLE);
  const row = [tensor('INT64', [1], [3])];
  const tried = await trials.open(graph(file), async (trial) => {
    assert.deepEqual(trial.signature.inputs, TABLE_SIGNATURE.inputs);
    return trial.try(row);
  });
  assert.ok(tried.kind === 'tried');
  assert.deepEqual(tried.signature, TABLE_SIGNATURE);
  assert.deepEqual(tried.row, row);
  assert.ok(tried.runs.length > 0 && tried.runs.every(({ items, elements }) => items === elements));
  const other = await trials.open(graph(await writeModel(t, simple('Mul', 'FP32', [1, 3]))), (trial) => trial.try());
  assert.ok(other.kind === 'tried' && !other.signature.batchable);
  assert.deepEqual(other.row?.[0]?.shape, [1, 3], 'made up, for the warm-up');
});

test('what cannot be opened says why, and the next graph is tried', async (t) => {
  const trials = openTrials(t);
  const file = await writeModel(t, TABLE);
  const table = await readFile(file);
  await writeFile(path.join(path.dirname(file), 'broken.onnx'), table.subarray(0, 40));
  const never = () => Promise.reject(new Error('never opened'));
  await assert.rejects(trials.open(graph(path.join(path.dirname(file), 'broken.onnx')), never), /broken\.onnx/);
  assert.equal((await trials.open(graph(file), (trial) => trial.try())).kind, 'tried');
});

test('a run that does not return is given up at its limit, and the next graph is tried', async (t) => {
  const trials = openTrials(t, { runMs: 1500 });
  const lost = await trials.open(graph(await writeEndless(t)), (trial) => trial.try(endlessRow()));
  assert.deepEqual(lost, { kind: 'lost', why: 'a run did not end within 1.5 s' });
  assert.equal((await trials.open(graph(await writeModel(t, TABLE)), (trial) => trial.try())).kind, 'tried');
});

test('all runs of a model together have a limit', async (t) => {
  const trials = openTrials(t, { allMs: 300 });
  const lost = await trials.open(graph(await writeEndless(t)), (trial) => trial.try(endlessRow()));
  assert.deepEqual(lost, { kind: 'lost', why: 'it took longer than 0.3 s' });
});

test('a graph that ends its process costs its own trial alone', async (t) => {
  const trials = openTrials(t);
  const lost = await trials.open(graph(await writeEndless(t)), async (trial) => {
    const trying = trial.try(endlessRow());
    process.kill(trials.pid ?? 0, 'SIGKILL');
    return trying;
  });
  assert.deepEqual(lost, { kind: 'lost', why: 'the process that tried it ended (SIGKILL)' });
  assert.equal((await trials.open(graph(await writeModel(t, TABLE)), (trial) => trial.try())).kind, 'tried');
});

test('trials go one after the other', async (t) => {
  const trials = openTrials(t);
  const file = await writeModel(t, TABLE);
  const order: string[] = [];
  let mayEnd = false;
  const first = trials.open(graph(file), async () => {
    order.push('first begins');
    await until(() => mayEnd);
    order.push('first ends');
  });
  const second = trials.open(graph(file), () => Promise.resolve(order.push('second')));
  await until(() => order.length > 0);
  mayEnd = true;
  await Promise.all([first, second]);
  assert.deepEqual(order, ['first begins', 'first ends', 'second']);
});

test('the process ends with the trials, and no other is started', async (t) => {
  const trials = openTrials(t);
  const file = await writeModel(t, TABLE);
  await trials.open(graph(file), (trial) => trial.try());
  trials.close();
  assert.equal(trials.pid, undefined);
  await assert.rejects(
    trials.open(graph(file), (trial) => trial.try()),
    { code: 'DRAINING' },
  );
});

test('a trial that is under way when trials end says nothing about its graph', async (t) => {
  const trials = openTrials(t);
  const file = await writeEndless(t);
  const tried = trials.open(graph(file), (trial) => {
    const answer = trial.try(endlessRow());
    trials.close();
    return answer;
  });
  await assert.rejects(tried, { code: 'DRAINING' });
  assert.equal(trials.pid, undefined);
});
