import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { createTask } from '../../../src/tasks/registry.ts';
import type { DiffusionParameters } from '../../../src/tasks/text-to-image/pipeline.ts';
import type { Prepared, Task } from '../../../src/tasks/task.ts';
import { float32, typedView, type Signature } from '../../../src/tensors/tensor.ts';
import { SHIPPED_SOURCE } from '../../programs/diffusion/shipped.ts';
import { json, raw, refusal, spec } from '../support.ts';

/** As the program gives it; -1: the graph leaves the size free. */
function signatureOf(side = 32): Signature {
  return {
    inputs: [spec('prompt', 'INT32', [-1, 16]), spec('negative_prompt', 'INT32', [-1, 16])],
    outputs: [spec('image', 'FP32', [-1, 3, side, side])],
    batchable: true,
  };
}

async function taskOf(options: Record<string, unknown> = {}, side?: number): Promise<Task> {
  return createTask({ ...SHIPPED_SOURCE, signature: signatureOf(side), options });
}

function parametersOf({ parameters }: Prepared): DiffusionParameters {
  return parameters as DiffusionParameters;
}

function idsOf({ inputs }: Prepared, name: string): number[] {
  const tensor = inputs[name];
  assert.ok(tensor?.datatype === 'INT32');
  return [...(typedView(tensor) as Int32Array)];
}

const START = 611;
const END = 612;

test('a prompt becomes ids of a fixed length between start and end, padded with the end token', async () => {
  const task = await taskOf();
  const prepared = await task.prepare(json({ prompt: 'A handwritten THREE', negative_prompt: null }));
  assert.deepEqual(idsOf(prepared, 'prompt'), [START, 320, 531, 565, ...Array<number>(12).fill(END)]);
  assert.deepEqual(idsOf(prepared, 'negative_prompt'), [START, ...Array<number>(15).fill(END)]);
  assert.deepEqual(idsOf(await task.prepare(json('')), 'prompt'), [START, ...Array<number>(15).fill(END)]);
});

test('a prompt too long is cut and keeps its end token', async () => {
  const task = await taskOf();
  const ids = idsOf(await task.prepare(json('three '.repeat(300))), 'prompt');
  assert.deepEqual(ids, [START, ...Array<number>(14).fill(565), END]);
  await assert.rejects(async () => task.prepare(json('x'.repeat(10_001))), refusal('TOO_LARGE', /10000 characters/));
});

test('raw text is a prompt; other languages and half characters are no accident', async () => {
  const task = await taskOf();
  const text = Buffer.from('the digit 5');
  const [one, other] = [await task.prepare(raw('text/plain', text)), await task.prepare(json('the digit 5'))];
  assert.deepEqual(idsOf(one, 'prompt'), idsOf(other, 'prompt'));
  for (const prompt of ['三', '🦊', '\ud800', '\u0000'])
    assert.equal(idsOf(await task.prepare(json(prompt)), 'prompt').length, 16);
  await assert.rejects(
    async () => task.prepare(raw('text/plain', Uint8Array.of(0xff))),
    refusal('BAD_REQUEST', /UTF-8/),
  );
});

test('defaults come from the options, and from the pipeline where there are none', async () => {
  const seedless = (parameters: DiffusionParameters): object => ({ ...parameters, seed: 0 });
  const size = { latentHeight: 8, latentWidth: 8 };
  const plain = await (await taskOf()).prepare(json('3'));
  assert.deepEqual(seedless(parametersOf(plain)), { scheduler: 'ddim', steps: 20, guidance: 7.5, seed: 0, ...size });
  const own = await taskOf({ steps: 5, guidance: 1, scheduler: 'euler', negativePrompt: 'three' });
  const prepared = await own.prepare(json('3'));
  assert.deepEqual(seedless(parametersOf(prepared)), { scheduler: 'euler', steps: 5, guidance: 1, seed: 0, ...size });
  assert.equal(idsOf(prepared, 'negative_prompt')[1], 565);
});

test('a request chooses; without a seed it gets another image each time', async () => {
  const task = await taskOf();
  const kept = { steps: 3, guidance: 2.5, seed: 2 ** 53 - 1, scheduler: 'lcm' };
  const parameters = { ...kept, width: 32, height: 32 };
  assert.deepEqual(parametersOf(await task.prepare(json('3', parameters))), {
    ...kept,
    latentHeight: 8,
    latentWidth: 8,
  });
  const seeds = await Promise.all([1, 2, 3].map(async () => parametersOf(await task.prepare(json('3'))).seed));
  assert.equal(new Set(seeds).size, 3);
});

for (const [parameters, message] of [
  [{ steps: 0 }, /steps/],
  [{ steps: 101 }, /steps must be from 1 to 100/],
  [{ steps: 51, scheduler: 'lcm' }, /steps must be from 1 to 50 with scheduler lcm/],
  [{ steps: 2.5 }, /steps/],
  [{ steps: '4' }, /steps/],
  [{ guidance: -1 }, /guidance/],
  [{ guidance: 1e9 }, /guidance/],
  [{ seed: -1 }, /seed/],
  [{ seed: 2 ** 53 }, /seed/],
  [{ scheduler: 'pndm' }, /scheduler/],
  [{ width: 64 }, /width must be 32/],
  [{ height: 16 }, /height must be 32/],
  [{ strength: 1 }, /strength/],
] as [Record<string, unknown>, RegExp][])
  test(`parameters ${JSON.stringify(parameters)} are refused`, async () => {
    const task = await taskOf();
    await assert.rejects(async () => task.prepare(json('3', parameters)), refusal('INVALID_INPUT', message));
  });

test('items that are no prompt are refused', async () => {
  const task = await taskOf();
  for (const value of [null, 5, [], {}, ['3'], { prompt: 3 }, { prompt: '3', style: 'x' }])
    await assert.rejects(async () => task.prepare(json(value)), refusal('INVALID_INPUT', /takes a prompt/));
});

test('where the graph leaves the size free, requests choose it within the limit', async () => {
  const task = await taskOf({}, -1);
  const { latentHeight, latentWidth } = parametersOf(await task.prepare(json('3', { width: 64, height: 24 })));
  assert.deepEqual([latentHeight, latentWidth], [6, 16]);
  const refused = async (parameters: Record<string, unknown>, param: string, message: RegExp): Promise<void> =>
    assert.rejects(
      async () => task.prepare(json('3', parameters)),
      (error) => refusal('INVALID_INPUT', message)(error) && (error as { param?: string }).param === param,
    );
  await refused({ width: 36 }, 'width', /multiple of 8/);
  await refused({ height: 36 }, 'height', /multiple of 8/);
  await refused({ width: 64, height: 40 }, 'width', /2048 pixels at most/);
});

test('an item costs rows of the unet, in images of the size of the model, and all share one bucket', async () => {
  const task = await taskOf({}, -1);
  const cost = async (parameters: Record<string, unknown>): Promise<unknown> => {
    const { cost, bucket } = await task.prepare(json('3', parameters));
    return [cost, bucket];
  };
  assert.deepEqual(await cost({ guidance: 4 }), [2, '']);
  assert.deepEqual(await cost({ guidance: 1, width: 64, height: 32 }), [2, '']);
  assert.deepEqual(await cost({ guidance: 0 }), [1, '']);
});

test('only short prompts are light', async () => {
  const task = await taskOf();
  const long = 'x'.repeat(501);
  assert.deepEqual(
    [json('3'), json(long), json({ prompt: '', negative_prompt: long })].map((item) => task.isLight(item)),
    [true, false, false],
  );
});

test('values of -1 to 1 become a PNG, rounded and clamped', async () => {
  const task = await taskOf();
  const pixels = [-1, 1, 0, -5, 5, 0.5, 1, 1, 1, 0, 0, 0];
  const reply = await task.finish({ image: float32([1, 3, 2, 2], Float32Array.from(pixels)) }, undefined);
  assert.ok('bytes' in reply && reply.contentType === 'image/png');
  const { data, info } = await sharp(reply.bytes).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, info.channels], [2, 2, 3]);
  assert.deepEqual([...data], [0, 255, 255, 255, 191, 128, 128, 255, 128, 0, 255, 128]);
});

test('a folder that is not a pipeline, and wrong options, are refused at load', async () => {
  const files = Object.fromEntries(Object.entries(SHIPPED_SOURCE.files).filter(([role]) => role !== 'scheduler'));
  await assert.rejects(createTask({ ...SHIPPED_SOURCE, signature: signatureOf(), files }), /files\.scheduler/);
  await assert.rejects(taskOf({ steps: 0, speed: 1 }), /options\.steps.*speed/);
});
