import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { InferenceSession } from 'onnxruntime-node';
import sharp from 'sharp';
import { urlOf } from '../../../src/tasks/item-url.ts';
import { cropMiddle } from '../../../src/tasks/image/placing.ts';
import { readPreprocessing } from '../../../src/tasks/image/preprocessing.ts';
import { resizedSize } from '../../../src/tasks/image/resizing.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Task, TaskSource } from '../../../src/tasks/task.ts';
import { typedView, type Signature, type Tensor } from '../../../src/tensors/tensor.ts';
import { onnxModel } from '../../../tools/onnx-writer.ts';
import { node, value } from '../../onnx/models.ts';
import { answer, json, jsonOf, raw, refusal, sourceFor, spec } from '../support.ts';

/** Classes are the means of the three colours, as the preprocessing left them. */
const COLOURS = onnxModel({
  name: 'colours',
  inputs: [value('pixel_values', 'FP32', ['batch', 3, 4, 4])],
  outputs: [value('logits', 'FP32', ['batch', 3])],
  nodes: [node('GlobalAveragePool', ['pixel_values'], 'means'), node('Flatten', ['means'], 'logits')],
});
const SIGNATURE: Signature = {
  inputs: [spec('pixel_values', 'FP32', [-1, 3, 4, 4])],
  outputs: [spec('logits', 'FP32', [-1, 3])],
  batchable: true,
};
const PREPROCESSING = { size: { height: 4, width: 4 }, image_mean: [0.5, 0.5, 0.5], image_std: [0.25, 0.25, 0.25] };
const LABELS = ['red', 'green', 'blue'];

let folder: string;
let session: InferenceSession;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'carpool-images-'));
  session = await InferenceSession.create(COLOURS, { intraOpNumThreads: 1 });
});
after(async () => {
  await rm(folder, { recursive: true });
});

let files = 0;
async function fileOf(value: unknown): Promise<string> {
  files += 1;
  const file = path.join(folder, `${files}.json`);
  await writeFile(file, JSON.stringify(value));
  return file;
}

async function taskOf(
  { preprocessing = PREPROCESSING, config = {} }: { preprocessing?: object; config?: object } = {},
  more: Partial<TaskSource> = {},
): Promise<Task> {
  const files = { preprocessorConfig: await fileOf(preprocessing), config: await fileOf(config) };
  return createTask(sourceFor('image-classification', SIGNATURE, { labels: LABELS, files, ...more }));
}

function plain(background: string, width = 8, height = 8): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}

function values(tensor: Tensor | undefined): number[] {
  assert.ok(tensor?.datatype === 'FP32');
  return [...(typedView(tensor) as Float32Array)];
}

test('an image is scaled, normalised, classified and named, best first', async () => {
  const task = await taskOf();
  // (1 - 0.5) / 0.25 = 2, (0.4 - 0.5) / 0.25 = -0.4, (0 - 0.5) / 0.25 = -2
  const logits = [2, -0.4, -2];
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
  const reply = jsonOf(await answer({ task, session }, raw('image/png', await plain('#ff6600')))) as {
    label: string;
    score: number;
  }[];
  assert.deepEqual(
    reply.map(({ label }) => label),
    ['red', 'green', 'blue'],
  );
  for (const [index, { score }] of reply.entries())
    assert.ok(Math.abs(score - Math.exp(logits[index] ?? 0) / sum) < 1e-5);
});

test('raw bytes, base64, a data URL and {"image"} are the same image', async () => {
  const task = await taskOf();
  const image = await plain('#1020f0');
  const text = image.toString('base64');
  const items = [raw('image/png', image), json(text), json(`data:image/png;base64,${text}`), json({ image: text })];
  const replies = await Promise.all(items.map(async (item) => jsonOf(await answer({ task, session }, item))));
  for (const reply of replies) assert.deepEqual(reply, replies[0]);
  assert.equal((replies[0] as { label: string }[])[0]?.label, 'blue');
});

test('top_k limits the classes, 0 asks for all; other parameters are refused', async () => {
  const task = await taskOf({}, { options: { topK: 1 } });
  const image = (await plain('#00ff00')).toString('base64');
  const count = async (parameters?: Record<string, unknown>): Promise<number> =>
    (jsonOf(await answer({ task, session }, json(image, parameters))) as unknown[]).length;
  assert.deepEqual([await count(), await count({ top_k: 2 }), await count({ top_k: 0 })], [1, 2, 3]);
  await assert.rejects(async () => task.prepare(json(image, { top_k: -1 })), refusal('INVALID_INPUT', /top_k/));
  await assert.rejects(async () => task.prepare(json(image, { topk: 1 })), refusal('INVALID_INPUT', /topk/));
});

test('classes that do not exclude one another get a sigmoid', async () => {
  const task = await taskOf({ config: { problem_type: 'multi_label_classification' } });
  const reply = jsonOf(await answer({ task, session }, raw('image/png', await plain('#ffffff')))) as {
    score: number;
  }[];
  for (const { score } of reply) assert.ok(Math.abs(score - 1 / (1 + Math.exp(-2))) < 1e-5);
});

test('the shorter edge is resized and the middle cut out', async () => {
  const task = await taskOf({
    preprocessing: {
      size: { shortest_edge: 4 },
      do_center_crop: true,
      crop_size: { height: 4, width: 4 },
      do_normalize: false,
      resample: 0,
    },
  });
  // Red, green, red side by side, each 4 wide: only the green is left.
  const strip = await sharp({ create: { width: 24, height: 8, channels: 3, background: '#ff0000' } })
    .composite([{ input: await plain('#00ff00', 8, 8), left: 8, top: 0 }])
    .png()
    .toBuffer();
  const { inputs } = await task.prepare(raw('image/png', strip));
  assert.deepEqual(values(inputs['pixel_values']), [
    ...Array<number>(16).fill(0),
    ...Array<number>(16).fill(1),
    ...Array<number>(16).fill(0),
  ]);
});

test('making smaller averages: a fine check pattern becomes grey', async () => {
  for (const resample of [1, 2, 3]) {
    const task = await taskOf({ preprocessing: { ...PREPROCESSING, resample, do_normalize: false } });
    const data = Uint8Array.from({ length: 64 * 64 * 3 }, (_, at) => {
      const pixel = Math.floor(at / 3);
      return ((pixel % 64) + Math.floor(pixel / 64)) % 2 === 0 ? 255 : 0;
    });
    const image = await sharp(data, { raw: { width: 64, height: 64, channels: 3 } })
      .png()
      .toBuffer();
    const { inputs } = await task.prepare(raw('image/png', image));
    for (const sample of values(inputs['pixel_values'])) assert.ok(Math.abs(sample - 0.5) < 0.02, `${sample}`);
  }
});

test('what preprocessor_config.json says, in its old and new spellings', () => {
  const placing = (config: object) => {
    const { resize, crop, resampling } = readPreprocessing(config);
    return { resize, crop, resampling };
  };
  const square = { width: 224, height: 224 };
  assert.deepEqual(placing({ size: 224, resample: 3 }), { resize: square, crop: undefined, resampling: 'bicubic' });
  assert.deepEqual(placing({ size: 224, do_center_crop: true, crop_size: 224 }), {
    resize: { shortestEdge: 224 },
    crop: square,
    resampling: 'bilinear',
  });
  assert.deepEqual(placing({ size: { shortest_edge: 224 }, crop_pct: 0.875 }), {
    resize: { shortestEdge: 256 },
    crop: square,
    resampling: 'bilinear',
  });
  assert.deepEqual(placing({ size: { shortest_edge: 384 }, crop_pct: 0.875 }).resize, { width: 384, height: 384 });
  assert.deepEqual(placing({ do_resize: false, size: 224 }).resize, undefined);
  assert.deepEqual(readPreprocessing({ rescale_offset: true, rescale_factor: 1 / 127.5, do_normalize: false }).range, {
    scale: 1 / 127.5,
    mean: [1, 1, 1],
    std: [1, 1, 1],
  });
  assert.throws(() => readPreprocessing({ do_pad: true, size: { longest_edge: 5 } }), /do_pad: not supported/);
});

test('sizes of the shorter edge are those of transformers: the longer is cut to whole pixels', () => {
  assert.deepEqual(resizedSize({ width: 640, height: 427 }, { shortestEdge: 224 }), { width: 335, height: 224 });
  assert.deepEqual(resizedSize({ width: 427, height: 640 }, { shortestEdge: 224 }), { width: 224, height: 335 });
});

test('a middle larger than the image is filled up with black', () => {
  const one = { width: 1, height: 2, channels: 1, data: Uint8Array.of(7, 9) };
  assert.deepEqual([...cropMiddle(one, { width: 3, height: 2 }).data], [0, 7, 0, 0, 9, 0]);
  assert.deepEqual([...cropMiddle(one, { width: 1, height: 4 }).data], [0, 7, 9, 0]);
  const wide = { width: 5, height: 1, channels: 1, data: Uint8Array.of(1, 2, 3, 4, 5) };
  assert.deepEqual([...cropMiddle(wide, { width: 3, height: 1 }).data], [2, 3, 4]);
});

test('images that are broken, too large or too narrow are refused', async () => {
  const task = await taskOf({}, { options: { maxPixels: 1000 } });
  const image = await plain('#123456');
  await assert.rejects(async () => task.prepare(raw('image/png', image.subarray(0, 60))), refusal('INVALID_INPUT'));
  await assert.rejects(
    async () => task.prepare(raw('image/png', Buffer.from('GIF89a'))),
    refusal('UNSUPPORTED_MEDIA_TYPE'),
  );
  const large = await plain('#123456', 40, 40);
  await assert.rejects(async () => task.prepare(raw('image/png', large)), refusal('TOO_LARGE', /40 x 40/));
  const edge = await taskOf({ preprocessing: { size: { shortest_edge: 4 } } }, { options: { maxPixels: 1000 } });
  const narrow = await plain('#123456', 1, 999);
  await assert.rejects(async () => edge.prepare(raw('image/png', narrow)), refusal('INVALID_INPUT', /too narrow/));
});

test('an image without a resize must have the size of the graph', async () => {
  const task = await taskOf({ preprocessing: { do_resize: false } });
  const image = await plain('#123456');
  await assert.rejects(async () => task.prepare(raw('image/png', image)), refusal('INVALID_INPUT', /8 x 8/));
});

test('the URL of an item is found, and the task refuses it', async () => {
  const url = 'HTTPS://images.example/cat.png';
  assert.deepEqual(
    [json(url), json({ image: 's3://b/k' }), json('data:x'), json(5), raw('image/png', new Uint8Array(1))].map((item) =>
      urlOf(item, 'image-classification'),
    ),
    [url, 's3://b/k', undefined, undefined, undefined],
  );
  const task = await taskOf();
  await assert.rejects(async () => task.prepare(json(url)), refusal('INVALID_INPUT', /not fetched from URLs/));
});

test('a model that does not fit the task is refused at load', async () => {
  await assert.rejects(taskOf({}, { labels: ['one'] }), /1 labels for the 3 classes/);
  await assert.rejects(taskOf({}, { files: {} }), /preprocessor_config\.json/);
  const texts = { ...SIGNATURE, inputs: [spec('text', 'BYTES', [-1])] };
  await assert.rejects(taskOf({}, { signature: texts }), /one float input/);
});
