import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { InferenceSession } from 'onnxruntime-node';
import sharp from 'sharp';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Task } from '../../../src/tasks/task.ts';
import { float32, typedView, type Signature } from '../../../src/tensors/tensor.ts';
import { sharedModel } from '../../shared-models.ts';
import { answer, json, pathOf, refusal, run, sourceFor, spec } from '../support.ts';

/** examples/terrain: the task alone, and with its model if that is present. */

const SIGNATURE: Signature = {
  inputs: [spec('noisy', 'FP32', [-1, 1, 128, 128]), spec('sigma', 'FP32', [-1]), spec('difficulty', 'FP32', [-1])],
  outputs: [spec('denoised', 'FP32', [-1, 1, 128, 128])],
  batchable: true,
};
const weights = `${sharedModel('image-generation') ?? ''}/model.onnx`;
const skip = sharedModel('image-generation') === undefined && 'the weights are not here';

function taskOf(): Promise<Task> {
  return createTask(sourceFor(pathOf('examples/terrain/task.js'), SIGNATURE));
}

async function modelOf(t: TestContext): Promise<{ task: Task; session: InferenceSession }> {
  const session = await InferenceSession.create(weights, { intraOpNumThreads: 1 });
  t.after(() => session.release());
  return { task: await taskOf(), session };
}

async function bytesOf(model: { task: Task; session: InferenceSession }, value: unknown): Promise<Uint8Array> {
  const reply = await answer(model, json(value));
  assert.ok('bytes' in reply);
  return reply.bytes;
}

test('noise is standard normal times sigma, the same for the same seed', async () => {
  const task = await taskOf();
  const noise = async (seed: number): Promise<Float32Array> => {
    const { inputs } = await task.prepare(json({ difficulty: 100, seed }));
    const { noisy, sigma, difficulty } = inputs;
    assert.ok(noisy?.datatype === 'FP32' && sigma?.datatype === 'FP32' && difficulty?.datatype === 'FP32');
    assert.deepEqual([typedView(sigma)[0], typedView(difficulty)[0]], [80, 1]);
    return typedView(noisy) as Float32Array;
  };
  const values = await noise(3);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  assert.ok(Math.abs(mean) < 2.5 && Math.abs(deviation - 80) < 1.8, `${mean}, ${deviation}`);
  assert.deepEqual(await noise(3), values);
  assert.notDeepEqual(await noise(4), values);
});

test('grey levels become a PNG of 16 bits, or metres', async () => {
  const task = await taskOf();
  const denoised = Float32Array.from({ length: 128 * 128 }, (_, at) => [-3, -1, 0, 1, 2][at % 5] ?? 0);
  const outputs = { denoised: float32([1, 1, 128, 128], denoised) };
  const picture = await task.finish(outputs, { format: 'png' });
  assert.ok('bytes' in picture && picture.contentType === 'image/png');
  const { data, info } = await sharp(picture.bytes)
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, info.channels], [128, 128, 1]);
  const samples = new Uint16Array(Uint8Array.from(data).buffer);
  assert.deepEqual([...samples.subarray(0, 5)], [0, 0, 32768, 65535, 65535]);
  const heights = await task.finish(outputs, { format: 'heights' });
  assert.ok('bytes' in heights && heights.contentType === 'application/octet-stream');
  const metres = [...new Float32Array(Uint8Array.from(heights.bytes).buffer).subarray(0, 5)];
  // 0.1 * sinh(asinh(221.6864) / 2) = 1.0512...
  for (const [at, expected] of [
    0,
    0,
    0.1 * Math.sqrt((Math.sqrt(1 + 221.6864 ** 2) - 1) / 2),
    22.16864,
    22.16864,
  ].entries())
    assert.ok(Math.abs((metres[at] ?? NaN) - expected) < 1e-4, `${metres[at] ?? NaN}`);
});

test('a wrong difficulty, seed or format is refused', async () => {
  const task = await taskOf();
  for (const [value, message] of [
    [{}, /difficulty/],
    [5, /difficulty/],
    [{ difficulty: 0 }, /difficulty/],
    [{ difficulty: NaN }, /difficulty/],
    [{ difficulty: 5, seed: -1 }, /seed/],
    [{ difficulty: 5, format: 'jpeg' }, /format/],
  ] as [unknown, RegExp][])
    await assert.rejects(async () => task.prepare(json(value)), refusal('INVALID_INPUT', message));
});

test('harder terrain is rougher, and the same request draws the same', { skip }, async (t) => {
  const model = await modelOf(t);
  const roughness = async (difficulty: number): Promise<number> => {
    const bytes = await bytesOf(model, { difficulty, seed: 5, format: 'heights' });
    const heights = new Float32Array(Uint8Array.from(bytes).buffer);
    assert.equal(heights.length, 128 * 128);
    assert.ok(heights.every((height) => height >= 0 && height <= 22.17));
    return (
      heights.reduce((sum, height, at) => sum + Math.abs(height - (heights[at + 1] ?? height)), 0) / heights.length
    );
  };
  const [easy, hard] = [await roughness(1), await roughness(100)];
  assert.ok(hard > 2 * easy, `${easy} against ${hard} metres a pixel`);
  const request = { difficulty: 40, seed: 7 };
  assert.deepEqual(await bytesOf(model, request), await bytesOf(model, request));
});

test('as tensors it gives what the task makes its picture of', { skip }, async (t) => {
  const { task, session } = await modelOf(t);
  const prepared = await task.prepare(json({ difficulty: 40, seed: 7, format: 'heights' }));
  const tensors = await createTask(sourceFor('tensors', SIGNATURE));
  const rows = Object.fromEntries(
    Object.entries(prepared.inputs).map(([name, tensor]) => {
      assert.ok(tensor.datatype === 'FP32');
      const values = [...(typedView(tensor) as Float32Array)];
      const square = Array.from({ length: 128 }, (_, row) => values.slice(row * 128, (row + 1) * 128));
      return [name, name === 'noisy' ? [square] : values[0]];
    }),
  );
  const [own, bare] = [await run(session, prepared), await run(session, await tensors.prepare(json(rows)))];
  assert.deepEqual(own['denoised'], bare['denoised']);
});
