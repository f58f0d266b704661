import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { onnxModel } from '../../tools/onnx-writer.ts';
import { Carpool } from '../process/carpool.ts';
import { node, value, type Graph } from '../onnx/models.ts';

/** A decoder's step: what was there before and what is new, joined. The first step has nothing before it. */
const CACHE: Graph = {
  inputs: [value('x', 'FP32', ['N', 1, 4]), value('past', 'FP32', ['N', 'P', 4])],
  outputs: [value('y', 'FP32', ['N', 4]), value('present', 'FP32', ['N', 'P1', 4])],
  nodes: [
    node('Concat', ['past', 'x'], 'present', { axis: { int: 1 } }),
    node('ReduceSum', ['present', 'one'], 'y', { keepdims: { int: 0 } }),
  ],
  initializers: [{ name: 'one', datatype: 'INT64', shape: [1], data: BigInt64Array.of(1n) }],
};
const ones = (name: string) => ({ name, datatype: 'FP32' as const, shape: [2], data: Float32Array.of(1, 1) });
/** An operator that ends the process on a tensor without elements (ONNX Runtime 1.30). */
const FATAL: Graph = {
  inputs: [value('x', 'FP32', ['N', 2, 'length'])],
  outputs: [value('y', 'FP32', ['N', 2, 'length'])],
  nodes: [node('InstanceNormalization', ['x', 'scale', 'bias'], 'y')],
  initializers: [ones('scale'), ones('bias')],
};

test(
  'tensors without elements are run where the graph survives them, and refused where it does not',
  { timeout: 120_000 },
  async (t) => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-empty-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    for (const [name, graph] of Object.entries({ cache: CACHE, fatal: FATAL })) {
      await mkdir(path.join(folder, name));
      await writeFile(path.join(folder, name, 'model.onnx'), onnxModel({ name, ...graph }));
    }
    await using carpool = await Carpool.start({ MODELS_DIR: folder });
    const post = async (at: string, body: unknown) => {
      const response = await fetch(carpool.url + at, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const x = { name: 'x', datatype: 'FP32', shape: [1, 1, 4], data: [1, 2, 3, 4] };
    const past = { name: 'past', datatype: 'FP32', shape: [1, 0, 4], data: [] };
    const [first, second] = await Promise.all([
      post('/v2/models/cache/infer', { inputs: [x, past] }),
      post('/v2/models/cache/infer', { inputs: [{ ...x, data: [5, 6, 7, 8] }, past] }),
    ]);
    assert.deepEqual([first.status, second.status], [200, 200]);
    const shapes = (body: Record<string, unknown>) => body['outputs'] as { shape: number[]; data: number[] }[];
    assert.deepEqual(shapes(first.body)[0]?.data, [1, 2, 3, 4]);
    assert.deepEqual(shapes(second.body)[1], {
      name: 'present',
      datatype: 'FP32',
      shape: [1, 1, 4],
      data: [5, 6, 7, 8],
    });
    const native = await post('/predict/cache', { data: { x: [[1, 2, 3, 4]], past: [] } });
    assert.deepEqual(native.body, { result: { y: [1, 2, 3, 4], present: [[1, 2, 3, 4]] } });
    const refused = await post('/v2/models/fatal/infer', {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2, 0], data: [] }],
    });
    assert.equal(refused.status, 422);
    assert.match(JSON.stringify(refused.body), /Input x has no elements/);
    const rows = await post('/v2/models/cache/infer', {
      inputs: [
        { ...x, shape: [0, 1, 4], data: [] },
        { ...past, shape: [0, 0, 4] },
      ],
    });
    assert.equal(rows.status, 422);
    const alive = await post('/v2/models/fatal/infer', {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2, 2], data: [1, 2, 3, 4] }],
    });
    assert.equal(alive.status, 200);
  },
);
