import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Item, Task } from '../../../src/tasks/task.ts';
import { elementCount, fromTypedArray, typedView, type Tensor } from '../../../src/tensors/tensor.ts';
import { json, raw, refusal, sourceFor, spec } from '../support.ts';

/** A task without a model: the inputs of prepare can be given to finish as outputs. */
function taskWith(options: Record<string, unknown> = {}, shape = [-1, -1, -1, 3]): Promise<Task> {
  const [input, output] = [spec('image', 'FP32', shape), spec('out', 'FP32', [-1, -1, -1, -1])];
  return createTask(sourceFor('image-to-image', { inputs: [input], outputs: [output], batchable: true }, { options }));
}

async function tensorOf(task: Task, item: Item): Promise<Tensor> {
  const { image } = (await task.prepare(item)).inputs;
  assert.ok(image !== undefined);
  return image;
}

function numbers(tensor: Tensor): number[] {
  if (tensor.datatype !== 'FP32') throw new Error(tensor.datatype);
  return [...(typedView(tensor) as Float32Array)];
}

/** A picture of one row, its pixels in red, green, blue. */
function row(pixels: number[][]): Sharp {
  const channels = (pixels[0]?.length ?? 3) as 3 | 4;
  return sharp(Buffer.from(pixels.flat()), { raw: { width: pixels.length, height: 1, channels } });
}

const RED_GREEN = [
  [255, 0, 0],
  [0, 128, 0],
];

async function firstPixel(image: Buffer): Promise<number[]> {
  return numbers(await tensorOf(await taskWith(), raw('image/png', image))).slice(0, 3);
}

test('samples of 0 to 255 lie in the tensor pixel by pixel', async () => {
  const task = await taskWith();
  const tensor = await tensorOf(task, raw('image/png', await row(RED_GREEN).png().toBuffer()));
  assert.deepEqual(tensor.shape, [1, 1, 2, 3]);
  assert.deepEqual(numbers(tensor), [255, 0, 0, 0, 128, 0]);
});

test('layout, scale, mean and std are those of the options, and finish takes them back', async () => {
  const task = await taskWith({ layout: 'nchw', scale: 1 / 255, mean: [0.5, 0, 0], std: [0.5, 1, 2] }, [-1, 3, -1, -1]);
  const tensor = await tensorOf(task, raw('image/png', await row(RED_GREEN).png().toBuffer()));
  assert.deepEqual(tensor.shape, [1, 3, 1, 2]);
  assert.deepEqual(numbers(tensor), [1, -1, 0, Math.fround(128 / 255), 0, 0]);
  const reply = await task.finish({ out: tensor }, undefined);
  assert.ok('bytes' in reply);
  assert.deepEqual([...(await sharp(reply.bytes).raw().toBuffer())], RED_GREEN.flat());
});

test('the output may have its own range by the options', async () => {
  const task = await taskWith({ outputScale: 1 / 255 });
  const data = new Uint8Array(Float32Array.of(0, 0.5, 1).buffer);
  const reply = await task.finish({ out: { datatype: 'FP32', shape: [1, 1, 1, 3], data } }, undefined);
  assert.ok('bytes' in reply);
  assert.deepEqual([...(await sharp(reply.bytes).raw().toBuffer())], [0, 128, 255]);
});

test('results are rounded, and clamped to what an image can hold', async () => {
  const task = await taskWith({ output: 'webp' });
  const data = new Uint8Array(Float32Array.of(-20, 99.6, 300, NaN, 0.4, 254.6).buffer);
  const asPng = await (await taskWith()).finish({ out: { datatype: 'FP32', shape: [1, 1, 2, 3], data } }, undefined);
  assert.ok('bytes' in asPng);
  assert.deepEqual([...(await sharp(asPng.bytes).raw().toBuffer())], [0, 100, 255, 0, 0, 255]);
  const asWebp = await task.finish({ out: { datatype: 'FP32', shape: [1, 1, 2, 3], data } }, undefined);
  assert.ok('bytes' in asWebp);
  assert.equal(asWebp.contentType, 'image/webp');
  assert.equal((await sharp(asWebp.bytes).metadata()).format, 'webp');
});

test('a model of one channel gives a grey image', async () => {
  const data = new Uint8Array(Float32Array.of(7, 9).buffer);
  const reply = await (await taskWith()).finish({ out: { datatype: 'FP32', shape: [1, 2, 1, 1], data } }, undefined);
  assert.ok('bytes' in reply);
  const { width, height, channels } = await sharp(reply.bytes).metadata();
  assert.deepEqual([width, height, channels], [1, 2, 1]);
});

test('whatever kind of image it is, the model gets sRGB', async () => {
  const grey = { create: { width: 2, height: 1, channels: 3 as const, background: { r: 90, g: 90, b: 90 } } };
  const clear = row([
    [255, 0, 0, 0],
    [0, 0, 255, 255],
  ]);
  assert.deepEqual(await firstPixel(await clear.png().toBuffer()), [255, 255, 255], 'transparency on white');
  assert.deepEqual(await firstPixel(await sharp(grey).toColourspace('b-w').png().toBuffer()), [90, 90, 90], 'grey');
  assert.deepEqual(await firstPixel(await sharp(grey).toColourspace('grey16').png().toBuffer()), [90, 90, 90]);
  assert.deepEqual(await firstPixel(await sharp(grey).toColourspace('rgb16').png().toBuffer()), [90, 90, 90]);
  assert.deepEqual(await firstPixel(await sharp(grey).png({ palette: true }).toBuffer()), [90, 90, 90], 'palette');
  assert.deepEqual(await firstPixel(await sharp(grey).webp({ lossless: true }).toBuffer()), [90, 90, 90]);
  const ink = await firstPixel(await sharp(grey).toColourspace('cmyk').jpeg().toBuffer());
  for (const sample of ink) assert.ok(Math.abs(sample - 90) < 20, `CMYK: ${ink.join()}`);
});

test('an image is turned upright', async () => {
  const image = await row(RED_GREEN).withMetadata({ orientation: 6 }).png().toBuffer();
  const tensor = await tensorOf(await taskWith(), raw('image/png', image));
  assert.deepEqual(tensor.shape, [1, 2, 1, 3]);
});

test('of an animation, the first frame is taken', async () => {
  const frames = Buffer.concat([Buffer.alloc(12, 200), Buffer.alloc(12, 10)]);
  const image = await sharp(frames, { raw: { width: 2, height: 4, channels: 3, pageHeight: 2 } })
    .webp({ lossless: true })
    .toBuffer();
  const tensor = await tensorOf(await taskWith({ maxPixels: 4 }), raw('image/webp', image));
  assert.deepEqual(tensor.shape, [1, 2, 2, 3]);
  assert.equal(numbers(tensor)[0], 200);
});

test('an image comes raw, as base64, as a data URL or in an object', async () => {
  const task = await taskWith();
  const image = await row(RED_GREEN).png().toBuffer();
  const base64 = image.toString('base64');
  const items = [
    raw('image/png', image),
    raw('application/octet-stream', image),
    json(base64),
    json(base64.replace(/.{20}/g, '$&\n')),
    json(base64.replace(/=+$/, '')),
    json(`data:image/png;base64,${base64}`),
    json({ image: base64 }),
  ];
  for (const item of items) assert.deepEqual(numbers(await tensorOf(task, item)), [255, 0, 0, 0, 128, 0]);
});

test('other bodies than images are refused with the right status', async () => {
  const task = await taskWith({ maxPixels: 100 });
  const large = await sharp({ create: { width: 11, height: 10, channels: 3, background: '#fff' } })
    .jpeg()
    .toBuffer();
  const png = await row(RED_GREEN).png().toBuffer();
  const gif = await row(RED_GREEN).gif().toBuffer();
  const cases: [Item, ReturnType<typeof refusal>][] = [
    [raw('image/jpeg', large), refusal('TOO_LARGE', /11 x 10 pixels; this model takes 100/)],
    [raw('image/png', gif), refusal('UNSUPPORTED_MEDIA_TYPE')],
    [raw('text/plain', Buffer.from('hello')), refusal('UNSUPPORTED_MEDIA_TYPE')],
    [raw('image/png', new Uint8Array(0)), refusal('INVALID_INPUT')],
    [raw('image/png', png.subarray(0, png.length - 20)), refusal('INVALID_INPUT', /damaged/)],
    [raw('image/png', png.subarray(0, 20)), refusal('INVALID_INPUT', /damaged/)],
    [json(gif.toString('base64')), refusal('INVALID_INPUT', /PNG/)],
    [json('no base64!'), refusal('INVALID_INPUT', /base64/)],
    [json(''), refusal('INVALID_INPUT', /base64/)],
    [json('data:image/png,abc'), refusal('INVALID_INPUT', /data URL/)],
    [json('data:'), refusal('INVALID_INPUT')],
    [json('https://example.com/cat.png'), refusal('INVALID_INPUT')],
    [json(null), refusal('INVALID_INPUT')],
    [json({ picture: 'x' }), refusal('INVALID_INPUT')],
    [json([1, 2]), refusal('INVALID_INPUT')],
  ];
  for (const [item, expected] of cases) await assert.rejects(async () => task.prepare(item), expected);
});

test('a model of fixed size takes that size alone', async () => {
  const task = await taskWith({}, [-1, 1, 3, 3]);
  await assert.rejects(
    async () => task.prepare(raw('image/png', await row(RED_GREEN).png().toBuffer())),
    refusal('INVALID_INPUT', /3 x 1 pixels, not 2 x 1/),
  );
});

test('a model that cannot be fed images is refused at load', async () => {
  await assert.rejects(taskWith({}, [-1, 10]), /four dimensions/);
  await assert.rejects(taskWith({ output: 'gif' }), /options\.output/);
});

test('images are never prepared on the main thread', async () => {
  const task = await taskWith();
  assert.equal(task.isLight(json('')), false);
  assert.equal(task.isLightReply(1), false);
});

test('images sent as tensors have the limit of those sent as files', async () => {
  const image = (shape: number[]): Tensor => fromTypedArray('FP32', shape, new Float32Array(elementCount(shape)));
  const task = await taskWith({ maxPixels: 6 });
  task.checkTensors?.([image([9, 2, 3, 3])]);
  assert.throws(() => task.checkTensors?.([image([1, 7, 1, 3])]), refusal('TOO_LARGE', /7 pixels.*takes 6.*maxPixels/));
  const planes = await taskWith({ maxPixels: 6, layout: 'nchw' }, [-1, 3, -1, -1]);
  planes.checkTensors?.([image([1, 3, 2, 3])]);
  assert.throws(() => planes.checkTensors?.([image([1, 3, 3, 3])]), refusal('TOO_LARGE', /9 pixels/));
});
