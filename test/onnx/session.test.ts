import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { PROGRESS_BEGUN, PROGRESS_ENDED } from '../../src/device.ts';
import { pathOf } from '../tasks/support.ts';
import { PROBE_GRAPH } from '../../src/onnx/probe-graph.ts';
import { sessionOptions } from '../../src/onnx/graph.ts';
import { elements, laneData, openModel, RUNNABLE, simple, tensor, value, writeModel } from './models.ts';

test('the graph that tries a device is the shipped square', async () => {
  assert.deepEqual(Buffer.from(PROBE_GRAPH), await readFile(pathOf('models/square/model.onnx')));
});

for (const datatype of RUNNABLE)
  test(`carries ${datatype} in and out unchanged`, async (t) => {
    const session = await openModel(t, simple('Identity', datatype, ['batch', 2]));
    const values = datatype === 'BYTES' ? ['', 'é', '\u{1f600}', 'b'] : [1, 0, 0, 1];
    const { outputs } = await session.run([tensor(datatype, [2, 2], values)]);
    assert.deepEqual([outputs[0]?.datatype, outputs[0]?.shape], [datatype, [2, 2]]);
    assert.deepEqual(elements(outputs[0]), values);
  });

test('a text with a NUL is an error, because the binding would cut it short', async (t) => {
  const session = await openModel(t, simple('Identity', 'BYTES', ['batch']));
  await assert.rejects(session.run([tensor('BYTES', [1], ['a\u0000b'])]), /NUL/);
});

test('takes bytes at any alignment', async (t) => {
  const session = await openModel(t, simple('Mul', 'FP64', ['batch']));
  const buffer = new Uint8Array(3 + 16);
  new DataView(buffer.buffer).setFloat64(3, 5, true);
  new DataView(buffer.buffer).setFloat64(11, -7, true);
  const { outputs } = await session.run([{ datatype: 'FP64', shape: [2], data: buffer.subarray(3) }]);
  assert.deepEqual(elements(outputs[0]), [25, 49]);
});

test('counts runs begun and ended, also one that fails', async (t) => {
  const lane = laneData();
  const progress = new Int32Array(lane.progress);
  const session = await openModel(t, simple('Mul', 'FP32', ['batch', 3]), { lane });
  await session.run([tensor('FP32', [1, 3], [1, 2, 3])]);
  await assert.rejects(session.run([tensor('FP32', [1, 4], [1, 2, 3, 4])]));
  assert.deepEqual([progress[PROGRESS_BEGUN], progress[PROGRESS_ENDED]], [2, 2]);
});

test('model.json that names a tensor the graph has not got is an error that says what there is', async (t) => {
  const overrides = { inputs: [{ name: 'z' }], outputs: [{ name: 'w', batchAxis: 0 }] };
  await assert.rejects(openModel(t, simple('Mul', 'FP32', ['batch']), overrides), (error: Error) => {
    assert.match(error.message, /no input z; the graph has x/);
    assert.match(error.message, /no output w; the graph has y/);
    return true;
  });
});

test('model.json corrects shapes and batch axes, and cannot name an axis that is not there', async (t) => {
  const graph = simple('Mul', 'FP32', ['a', 'b', 'c']);
  const session = await openModel(t, graph, { inputs: [{ name: 'x', shape: [4, -1, -1], batchAxis: 2 }] });
  const fileShape = [-1, -1, -1];
  assert.deepEqual(session.signature.inputs, [
    { name: 'x', datatype: 'FP32', shape: [4, -1, -1], fileShape, batchAxis: 2 },
  ]);
  await assert.rejects(openModel(t, graph, { inputs: [{ name: 'x', batchAxis: 3 }] }), /x has no axis 3/);
});

test('an element type that Node cannot run is reported at load', async (t) => {
  const graph = { ...simple('Identity', 'BF16', ['batch']), outputs: [value('y', 'BF16', ['batch'])] };
  await assert.rejects(openModel(t, graph), /input x, output y are bfloat16/);
});

test('a run that gives another size than the file says writes nothing', async (t) => {
  const graph = { ...simple('Neg', 'FP32', ['batch', 2]), outputs: [value('y', 'FP32', [1, 2])] };
  const weights = await writeModel(t, graph);
  const script = `
    import { InferenceSession, Tensor } from 'onnxruntime-node';
    import { sessionOptions } from ${JSON.stringify(new URL('../../src/onnx/graph.js', import.meta.url).href)};
    const lane = { device: { kind: 'cpu' }, intraOpThreads: 1 };
    const session = await InferenceSession.create(${JSON.stringify(weights)}, sessionOptions({}, lane));
    const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 2, 3, 4), [2, 2]) });
    console.log(y.dims.join());`;
  const args = ['--input-type=module', '--eval', script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  assert.deepEqual([stdout, stderr], ['2,2\n', '']);
});

test('a CUDA lane gets its device and one thread; a CPU lane its share of the cores; model.json wins', () => {
  const lane = { ...laneData(), intraOpThreads: 3 };
  assert.deepEqual(sessionOptions({}, lane), {
    executionProviders: ['cpu'],
    intraOpNumThreads: 3,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  const cuda = sessionOptions({ graphOptimizationLevel: 'basic' }, { ...lane, device: { kind: 'cuda', index: 2 } });
  assert.deepEqual(cuda.executionProviders, [{ name: 'cuda', deviceId: 2 }, 'cpu']);
  assert.deepEqual([cuda.intraOpNumThreads, cuda.graphOptimizationLevel], [1, 'basic']);
  assert.equal(sessionOptions({ intraOpNumThreads: 7 }, lane).intraOpNumThreads, 7);
});
