import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import sharp from 'sharp';
import { answer, openShipped, raw, refusal, run, spec, type ShippedModel } from '../support.ts';

let model: ShippedModel;
before(async () => {
  model = await openShipped('super-resolution', {
    inputs: [spec('image', 'FP32', [-1, -1, -1, 3])],
    outputs: [spec('upscaled', 'FP32', [-1, -1, -1, 3])],
    batchable: true,
  });
});

/** Shapes with hard edges, 96 x 64. */
const DRAWING = Buffer.from(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 32" width="96" height="64">
    <rect width="48" height="32" fill="#7fb8e0"/><circle cx="14" cy="13" r="8" fill="#f4c542"/>
    <path d="M24 28 L34 6 L44 28 Z" fill="#b5402f"/><path d="M2 30 L46 26" stroke="#222" stroke-width="1.5"/>
  </svg>`,
);

function samples(image: Uint8Array): Promise<Buffer> {
  return sharp(image).removeAlpha().raw().toBuffer();
}

function cubic(image: Uint8Array): Promise<Buffer> {
  return sharp(image).resize(96, 64, { kernel: 'cubic' }).png().toBuffer();
}

/** Likeness of two images in decibels (peak signal-to-noise ratio). */
function likeness(one: Uint8Array, other: Uint8Array): number {
  assert.equal(one.length, other.length);
  const error = one.reduce((sum, sample, at) => sum + (sample - (other[at] ?? 0)) ** 2, 0) / one.length;
  return 10 * Math.log10(255 ** 2 / error);
}

async function upscale(image: Uint8Array): Promise<Uint8Array> {
  const reply = await answer(model, raw('image/png', image));
  assert.ok('bytes' in reply);
  assert.equal(reply.contentType, 'image/png');
  return reply.bytes;
}

test('an image comes back twice the size, nearer to the original than by bicubic scaling', async () => {
  const original = await sharp(DRAWING).removeAlpha().png().toBuffer();
  const small = await sharp(original).resize(48, 32, { kernel: 'cubic' }).png().toBuffer();
  const large = await upscale(small);
  const { width, height, format } = await sharp(large).metadata();
  assert.deepEqual({ width, height, format }, { width: 96, height: 64, format: 'png' });
  const baseline = await cubic(small);
  const byModel = likeness(await samples(large), await samples(original));
  const byCubic = likeness(await samples(baseline), await samples(original));
  assert.ok(byModel > byCubic + 0.5, `model ${byModel} dB, bicubic ${byCubic} dB`);
  assert.ok(likeness(await samples(large), await samples(baseline)) > 25);
});

test('the example of model.json is answered', async () => {
  const reply = await answer(model, model.example);
  assert.ok('bytes' in reply);
  const { width, height } = await sharp(reply.bytes).metadata();
  assert.deepEqual([width, height], [96, 96]);
});

test('cost is in pixels, and images of other sizes have other shapes', async () => {
  const image = await sharp(DRAWING).resize(30, 20).png().toBuffer();
  const prepared = await model.task.prepare(raw('image/png', image));
  assert.equal(prepared.cost, 600);
  assert.deepEqual(prepared.inputs['image']?.shape, [1, 20, 30, 3]);
  const outputs = await run(model.session, prepared);
  assert.deepEqual(outputs['upscaled']?.shape, [1, 40, 60, 3]);
});

test('an image above maxPixels of model.json is refused before it is decoded', async () => {
  const create = { width: 401, height: 400, channels: 3 as const, background: '#123456' };
  const image = await sharp({ create }).png().toBuffer();
  await assert.rejects(async () => model.task.prepare(raw('image/png', image)), refusal('TOO_LARGE', /401 x 400/));
});
