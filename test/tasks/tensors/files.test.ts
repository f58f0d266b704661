import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import sharp from 'sharp';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Item, ServeContext, Task, Work } from '../../../src/tasks/task.ts';
import { float32, typedView, type Signature, type Tensor, type TensorSpec } from '../../../src/tensors/tensor.ts';
import { json, jsonOf, pathOf, raw, refusal, sourceFor, spec } from '../support.ts';
import { toInt16, tone, wavOf } from '../transcription/support.ts';

function signature(inputs: TensorSpec[], outputs = [spec('y', 'FP32', [-1, 2])], batchable = true): Signature {
  return { inputs, outputs, batchable };
}

const open = (given: Signature, options: object, exampleType?: string): Promise<Task> =>
  createTask(
    sourceFor('tensors', given, { options: { ...options }, ...(exampleType === undefined ? {} : { exampleType }) }),
  );

function floats(tensor: Tensor | undefined): number[] {
  if (tensor === undefined || tensor.datatype === 'BYTES') throw new Error('there is no tensor');
  return Array.from(typedView(tensor) as Float32Array, (value) => Math.round(value * 1e4) / 1e4);
}

/** Two pixels: red, and blue. */
async function twoPixels(): Promise<Uint8Array> {
  const png = await sharp(Uint8Array.from([255, 0, 0, 0, 0, 255]), { raw: { width: 2, height: 1, channels: 3 } })
    .png()
    .toBuffer();
  return Uint8Array.from(png);
}

const png = async (): Promise<Item> => raw('image/png', await twoPixels());

test('an image becomes the tensor that the options describe', async () => {
  const free = signature([spec('x', 'FP32', [-1, 3, -1, -1])]);
  const cases: [object, Signature, number[], number[]][] = [
    [{ image: {} }, free, [1, 3, 1, 2], [1, 0, 0, 0, 0, 1]],
    [{ image: { colours: 'bgr' } }, free, [1, 3, 1, 2], [0, 1, 0, 0, 1, 0]],
    [{ image: { mean: [0.5], std: [0.5] } }, free, [1, 3, 1, 2], [1, -1, -1, -1, -1, 1]],
    [{ image: { scale: 1, mean: [100, 0, 5] } }, free, [1, 3, 1, 2], [155, -100, 0, 0, -5, 250]],
    [{ image: {} }, signature([spec('x', 'FP32', [-1, -1, -1, 3])]), [1, 1, 2, 3], [1, 0, 0, 0, 0, 1]],
    [{ image: {} }, signature([spec('x', 'FP32', [-1, 1, -1, -1])]), [1, 1, 1, 2], [0.298, 0.1137]],
    [{ image: {} }, signature([spec('x', 'UINT8', [-1, -1, 3], null)], [], false), [1, 2, 3], [255, 0, 0, 0, 0, 255]],
  ];
  for (const [asked, given, shape, values] of cases) {
    const task = await open(given, { inputs: { x: asked } });
    const { inputs } = await task.prepare(await png());
    assert.deepEqual([inputs['x']?.shape, floats(inputs['x'])], [shape, values], JSON.stringify(asked));
  }
});

test('an image takes the size of the graph or of the options; a free side keeps its proportions', async () => {
  const size = async (shape: number[], asked: object) => {
    const task = await open(signature([spec('x', 'FP32', shape)]), { inputs: { x: { image: asked } } });
    return (await task.prepare(await png())).inputs['x']?.shape;
  };
  assert.deepEqual(await size([-1, 3, 48, -1], {}), [1, 3, 48, 96]);
  assert.deepEqual(await size([-1, 3, 16, 16], {}), [1, 3, 16, 16]);
  assert.deepEqual(await size([-1, 3, -1, -1], { width: 8 }), [1, 3, 4, 8]);
});

test('an image may come as base64, alone or by the name of its input, and tensors are taken as ever', async () => {
  const given = signature([spec('x', 'FP32', [-1, 3, 1, 2]), spec('sr', 'INT64', [], null)]);
  const task = await open(given, { inputs: { x: { image: {} }, sr: { fill: 5 } } });
  const text = Buffer.from(await twoPixels()).toString('base64');
  const array = [[[1, 0]], [[0, 0]], [[0, 1]]];
  for (const value of [
    text,
    `data:image/png;base64,${text}`,
    { x: text },
    { x: { image: text } },
    { x: array },
    { x: text, sr: 7 },
  ]) {
    const { inputs } = await task.prepare(json(value));
    assert.deepEqual(floats(inputs['x']), [1, 0, 0, 0, 0, 1]);
    const { sr } = inputs as Record<string, Tensor & { datatype: 'INT64' }>;
    assert.deepEqual(
      [...(typedView(sr as never) as BigInt64Array)],
      [typeof value === 'object' && 'sr' in value ? 7n : 5n],
    );
  }
  await assert.rejects(async () => task.prepare(json({ z: text, x: text })), refusal('INVALID_INPUT', /Unknown input/));
  await assert.rejects(async () => task.prepare(json('not base64!')), refusal('INVALID_INPUT', /not valid base64/));
  await assert.rejects(
    async () => task.prepare(raw('image/png', Uint8Array.of(1, 2))),
    refusal('UNSUPPORTED_MEDIA_TYPE'),
  );
  await assert.rejects(async () => task.prepare(json({ sr: 7 })), refusal('INVALID_INPUT', /Missing input: x/));
});

test('an output becomes an image', async () => {
  const given = signature([spec('x', 'FP32', [-1, -1, -1, 3])], [spec('y', 'FP32', [-1, -1, -1, 3])]);
  const task = await open(given, { inputs: { x: { image: { scale: 1 } } }, outputs: { y: { image: { scale: 1 } } } });
  const reply = await task.finish({ y: float32([1, 1, 2, 3], Float32Array.from([255, 0, 0, 0, 0, 255])) }, undefined);
  assert.ok('bytes' in reply);
  assert.equal(reply.contentType, 'image/png');
  const { data, info } = await sharp(reply.bytes).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, ...data], [2, 1, 255, 0, 0, 0, 0, 255]);
});

/** What `serve` needs, on this thread; the run gives back its inputs. */
function contextOf(task: Task): { context: ServeContext; works: Work[] } {
  const works: Work[] = [];
  const context: ServeContext = {
    run: (work) => {
      works.push(work);
      return Promise.resolve({ y: float32([1, 2], Float32Array.of(1, 2)) });
    },
    runEach: () => Promise.reject(new Error('one run is enough')),
    // As to another thread.
    call: (name, argument, { give = [] } = {}) =>
      Promise.resolve(task.calls?.[name]?.(structuredClone(argument, { transfer: [...give] }) as never)),
    emit: () => undefined,
    count: () => undefined,
    ...{ streaming: false, leftMs: () => 60_000, onLeave: () => () => undefined },
  };
  return { context, works };
}

test('a sound becomes samples at the rate of the options', async () => {
  const samples = tone(300, 1);
  const audio = (): Item => raw('audio/wav', wavOf(toInt16(samples)));
  for (const [shape, options, expected] of [
    [[-1, -1], { audio: {} }, [1, 16_000]],
    [[-1, 1, -1], { audio: { rateHz: 8000 } }, [1, 1, 8000]],
    [[-1, 576], { audio: {} }, [1, 576]],
    [[-1, 20_000], { audio: {} }, [1, 20_000]],
  ] as const) {
    const given = signature([spec('x', 'FP32', [...shape]), spec('state', 'FP32', [2, -1, 4], 1)]);
    const task = await open(given, { inputs: { x: options, state: { fill: 0 } } });
    const { context, works } = contextOf(task);
    assert.deepEqual(jsonOf((await task.serve?.(audio(), context)) ?? { json: undefined }), [1, 2]);
    const { x, state } = works[0]?.inputs ?? {};
    assert.deepEqual([x?.shape, state?.shape], [expected, [2, 1, 4]]);
    const values = floats(x);
    assert.ok(Math.abs(Math.max(...values) - 0.3) < 0.01);
    if ((expected.at(-1) ?? 0) > 16_000) assert.deepEqual(values.slice(16_000, 16_004), [0, 0, 0, 0]);
    assert.deepEqual(task.example?.().inputs['x']?.shape.length, shape.length);
  }
  const task = await open(signature([spec('x', 'FP32', [-1, -1])]), { inputs: { x: { audio: { maxSeconds: 0.5 } } } });
  await assert.rejects(
    async () => task.serve?.(audio(), contextOf(task).context),
    refusal('TOO_LARGE', /longer than the 0.5 s/),
  );
});

test('an example of an image or a sound says enough where one input fits it', async () => {
  const one = signature([spec('x', 'FP32', [-1, 3, -1, -1])]);
  const task = await open(one, {}, 'image/png');
  assert.deepEqual(floats((await task.prepare(await png())).inputs['x']), [1, 0, 0, 0, 0, 1]);
  const sound = await open(signature([spec('x', 'FP32', [-1, -1])]), {}, 'audio/wav');
  assert.ok(sound.serve !== undefined);
  const two = signature([spec('x', 'FP32', [-1, 3, 8, 8]), spec('z', 'FP32', [-1, 3, 8, 8])]);
  await assert.rejects(open(two, {}, 'image/png'), /say in options.inputs which input it is for/);
});

test('options that do not fit the graph are refused when the model loads', async () => {
  const given = signature([spec('x', 'FP32', [-1, 8]), spec('n', 'INT64', [-1, -1]), spec('p', 'FP32', [1, 3, 8, 8])]);
  for (const [options, why] of [
    [{ inputs: { y: { image: {} } } }, /options.inputs.y: the graph has x, n, p/],
    [{ outputs: { z: { image: {} } } }, /options.outputs.z: the graph has y/],
    [{ inputs: { x: { image: {} } } }, /options.inputs.x: FP32 \[-1, 8\] cannot be an image/],
    [{ inputs: { p: { image: { width: 9 } } } }, /options.inputs.p: FP32 \[1, 3, 8, 8\] cannot be an image/],
    [{ inputs: { n: { audio: {} } } }, /options.inputs.n: INT64 \[-1, -1\] cannot be a sound/],
    [{ inputs: { n: { fill: 0 } } }, /options.inputs.n: an input with free sizes cannot be filled/],
    [{ inputs: { x: { picture: {} } } }, /options.inputs.x/],
  ] as const)
    await assert.rejects(open(given, options), why);
});

test('super-resolution as a bare graph takes and gives pictures', async () => {
  const folder = pathOf('models/super-resolution');
  const image = { layout: 'nhwc', scale: 1 };
  const shape = [-1, -1, -1, 3];
  const given = signature([spec('image', 'FP32', shape)], [spec('upscaled', 'FP32', shape)]);
  const task = await open(given, { inputs: { image: { image } }, outputs: { upscaled: { image } } });
  const bytes = new Uint8Array(await readFile(`${folder}/example.png`));
  const { inputs } = await task.prepare(raw('image/png', bytes));
  const other = await createTask(sourceFor('image-to-image', given, { options: { layout: 'nhwc' } }));
  const known = await other.prepare(raw('image/png', bytes));
  assert.deepEqual(inputs['image'], known.inputs['image']);
});
