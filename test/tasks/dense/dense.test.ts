import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { classesOf } from '../../../src/tasks/dense/classes.ts';
import { grey, resampled } from '../../../src/tasks/dense/grid.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import { float32 } from '../../../src/tensors/tensor.ts';
import { openReference, picture } from '../image/reference.ts';
import { json, refusal, sourceFor, spec } from '../support.ts';

/** A frame of an image that fills the model's input. */
const whole = (width: number, height: number, input: number) => ({
  ...{ image: { width, height }, input: { width: input, height: input } },
  ...{ left: 0, top: 0, width: input, height: input },
});

async function pixelsOf(base64: string): Promise<{ data: Buffer; width: number; height: number; channels: number }> {
  const { data, info } = await sharp(Buffer.from(base64, 'base64')).raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}

test("the masks of a segmentation are transformers' classes, at the size of the image", async (t) => {
  const model = await openReference('segformer');
  assert.equal(model.taskName, 'image-segmentation');
  const masks = (await model.answer()) as { label: string; mask: string }[];
  const classes = (model.expected['classes'] as string[]).join('');
  const names = ['disc', 'box', 'sky'];
  let wrong = 0;
  for (const { label, mask } of masks) {
    const { data, width, height, channels } = await pixelsOf(mask);
    assert.deepEqual([width, height], [100, 64]);
    for (let pixel = 0; pixel < classes.length; pixel += 1)
      if ((data[pixel * channels] === 255) !== (names[Number(classes[pixel])] === label)) wrong += 1;
  }
  const share = wrong / classes.length;
  t.diagnostic(`segformer: ${(share * 100).toFixed(2)} % of the pixels differ`);
  assert.ok(masks.length > 1 && share < 0.02, String(share));
  await assert.rejects(model.answer({ subtask: 'panoptic' }), refusal('INVALID_INPUT', /semantic/));
});

test("a depth is transformers' depth, as a picture and as numbers", async (t) => {
  const model = await openReference('depth_anything');
  assert.equal(model.taskName, 'depth-estimation');
  const reply = (await model.answer({ encoding: 'float' })) as {
    depth: string;
    predicted_depth: number[][];
    shape: number[];
  };
  assert.deepEqual(reply.shape, model.expected['size']);
  assert.deepEqual([reply.predicted_depth.length, reply.predicted_depth[0]?.length], reply.shape);
  const { data, width, height, channels } = await pixelsOf(reply.depth);
  assert.deepEqual([width, height], [100, 64]);
  const expected = model.expected['depth'] as number[][];
  const values = reply.predicted_depth.flat();
  const full = resampled(
    { values: Float32Array.from(values), width: reply.shape[1] ?? 0, height: reply.shape[0] ?? 0 },
    {
      ...whole(100, 64, 1),
      input: { width: reply.shape[1] ?? 0, height: reply.shape[0] ?? 0 },
      width: reply.shape[1] ?? 0,
      height: reply.shape[0] ?? 0,
    },
    'bicubic',
  );
  let [difference, size] = [0, 0];
  for (const [row, line] of expected.entries())
    for (const [column, depth] of line.entries()) {
      difference += (depth - (full[row * 8 * 100 + column * 8] ?? NaN)) ** 2;
      size += depth ** 2;
    }
  const error = Math.sqrt(difference / size);
  t.diagnostic(`depth_anything: relative error ${error.toExponential(1)}`);
  assert.ok(error < 0.02, String(error));
  const samples = Array.from({ length: width * height }, (_, pixel) => data[pixel * channels] ?? 0);
  assert.deepEqual([Math.min(...samples), Math.max(...samples)], [0, 255]);
  const { predicted_depth: text } = (await model.answer()) as { predicted_depth: string };
  assert.equal(Buffer.from(text, 'base64').readFloatLE(0), Math.fround(values[0] ?? NaN));
});

test('a grid is interpolated as by torch', () => {
  const grid = { values: Float32Array.of(0, 1, 2, 3), width: 2, height: 2 };
  const linear = resampled(grid, whole(4, 2, 2), 'bilinear');
  assert.deepEqual([...linear], [0, 0.25, 0.75, 1, 2, 2.25, 2.75, 3]);
  // torch.nn.functional.interpolate(torch.tensor([[[[0., 1.]]]]), (1, 4), mode="bicubic")
  const cubic = resampled(
    { values: Float32Array.of(0, 1), width: 2, height: 1 },
    { ...whole(4, 1, 2), input: { width: 2, height: 1 }, height: 1 },
    'bicubic',
  );
  assert.deepEqual(
    [...cubic].map((value) => Number(value.toFixed(4))),
    [-0.1055, 0.2266, 0.7734, 1.1055],
  );
  assert.deepEqual([...grey(Float32Array.of(1, 2, 3), [1, 3])], [0, 127, 255]);
  assert.deepEqual([...grey(Float32Array.of(1, 1), [1, 1])], [0, 0]);
});

test('between cells with different winners a third class may win', () => {
  const logits = Float32Array.of(10, 0, 0, 10, 6, 6);
  const classes = classesOf(
    logits,
    { classes: 3, height: 1, width: 2 },
    { ...whole(4, 1, 2), input: { width: 2, height: 1 }, height: 1 },
  );
  assert.deepEqual([...classes], [0, 0, 1, 1]);
  const middle = classesOf(
    Float32Array.of(10, 0, 0, 10, 6, 6),
    { classes: 3, height: 1, width: 2 },
    { ...whole(3, 1, 2), input: { width: 2, height: 1 }, height: 1 },
  );
  assert.deepEqual([...middle], [0, 2, 1]);
});

const REMOVER = {
  inputs: [spec('input', 'FP32', [-1, 3, 4, 4])],
  outputs: [spec('output', 'FP32', [-1, 1, 4, 4])],
  batchable: true,
};
const PREPROCESSING = { preprocessing: { size: { height: 4, width: 4 } } };

test('a background is removed by alpha; the mask alone may be asked for', async () => {
  const task = await createTask(sourceFor('background-removal', REMOVER, { options: PREPROCESSING }));
  const left = Float32Array.from({ length: 16 }, (_, at) => (at % 4 < 2 ? 1 : 0));
  for (const mask of [false, true]) {
    const prepared = await task.prepare(await picture({ mask }));
    const reply = await task.finish({ output: float32([1, 1, 4, 4], left) }, prepared.memo);
    assert.ok('bytes' in reply && reply.contentType === 'image/png');
    const { data, info } = await sharp(reply.bytes).raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [100, 64]);
    const last = (pixel: number) => data[(pixel + 1) * info.channels - 1];
    assert.deepEqual([last(0), last(99)], [255, 0]);
    if (!mask) assert.equal(info.channels, 4);
  }
});

test('numbers that are no shares are taken as logits, or spread over the range on request', async () => {
  const values = Float32Array.from({ length: 16 }, (_, at) => (at % 4 < 2 ? 8 : -8));
  const alphas = [];
  for (const activation of [undefined, 'range', 'none']) {
    const options = { ...PREPROCESSING, ...(activation === undefined ? {} : { activation }) };
    const task = await createTask(sourceFor('background-removal', REMOVER, { options }));
    const prepared = await task.prepare(await picture({ mask: true }));
    const reply = await task.finish(
      {
        output: float32(
          [1, 1, 4, 4],
          values.map((value) => (activation === 'range' ? value / 100 : value)),
        ),
      },
      prepared.memo,
    );
    assert.ok('bytes' in reply);
    const { data, info } = await sharp(reply.bytes).raw().toBuffer({ resolveWithObject: true });
    alphas.push([data[0], data[99 * info.channels]]);
  }
  assert.deepEqual(alphas, [
    [254, 0],
    [255, 0],
    [255, 0],
  ]);
});

test('what is no image is refused', async () => {
  const { task } = await openReference('segformer');
  await assert.rejects(async () => task.prepare(json('iVBORw0KGgo=')), refusal('INVALID_INPUT'));
  await assert.rejects(async () => task.prepare(json(3)), refusal('INVALID_INPUT'));
});
