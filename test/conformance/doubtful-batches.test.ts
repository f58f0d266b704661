import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { onnxModel } from '../../tools/onnx-writer.ts';
import { Carpool } from '../process/carpool.ts';
import { node, value, type Graph } from '../onnx/models.ts';

/** Graphs that look as if they could be batched: whatever the company, each request gets its own answer. */

/** One output row for each number above a half, as detectors give one for each find. */
const DETECTOR: Graph = {
  inputs: [value('x', 'FP32', ['batch', 4])],
  outputs: [value('found', 'INT64', ['found', 2])],
  nodes: [
    node('Greater', ['x', 'half'], 'hits'),
    node('NonZero', ['hits'], 'places'),
    node('Transpose', ['places'], 'found', { perm: { ints: [1, 0] } }),
  ],
  initializers: [{ name: 'half', datatype: 'FP32', shape: [1], data: Float32Array.of(0.5) }],
};
const RUNNING_SUM: Graph = {
  inputs: [value('x', 'FP32', [1, 'samples'])],
  outputs: [value('y', 'FP32', [1, 'samples'])],
  nodes: [node('CumSum', ['x', 'axis'], 'y')],
  initializers: [{ name: 'axis', datatype: 'INT64', shape: [], data: BigInt64Array.of(1n) }],
};

async function serve(t: TestContext, models: Readonly<Record<string, Graph>>): Promise<Carpool> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-doubtful-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, graph] of Object.entries(models)) {
    await mkdir(path.join(folder, name));
    await writeFile(path.join(folder, name, 'model.onnx'), onnxModel({ name, ...graph }));
  }
  return Carpool.start({ MODELS_DIR: folder });
}

async function infer(
  carpool: Carpool,
  model: string,
  x: readonly number[],
): Promise<{ shape: number[]; data: number[] }> {
  const response = await fetch(`${carpool.url}/v2/models/${model}/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, x.length], data: x }] }),
  });
  assert.equal(response.status, 200);
  const { outputs } = (await response.json()) as { outputs: { shape: number[]; data: number[] }[] };
  const [output] = outputs;
  assert.ok(output);
  return output;
}

test('detections and lengths stay with their request, and one log line says why', { timeout: 120_000 }, async (t) => {
  await using carpool = await serve(t, { detector: DETECTOR, sum: RUNNING_SUM });
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const hits = Array.from({ length: index % 5 }, (_, at) => at);
      const x = Array.from({ length: 4 }, (_, at) => (hits.includes(at) ? 1 : 0));
      return { hits: x.flatMap((one, at) => (one === 1 ? [at] : [])), ...(await infer(carpool, 'detector', x)) };
    }),
  );
  for (const { hits, shape, data } of answers) {
    assert.deepEqual(shape, [hits.length, 2]);
    assert.deepEqual(
      data,
      hits.flatMap((at) => [0, at]),
    );
  }
  const samples = Array.from({ length: 300 }, (_, at) => at % 7);
  let sum = 0;
  assert.deepEqual(await infer(carpool, 'sum', samples), {
    name: 'y',
    datatype: 'FP32',
    shape: [1, 300],
    data: samples.map((sample) => (sum += sample)),
  });
  const line = await carpool.log(({ msg }) => msg === 'these models run one request at a time');
  assert.equal(line['models'], 2);
  assert.match(JSON.stringify(line['why']), /detector.*NonZero.*batchAxis.*sum.*free first axis/);
});
