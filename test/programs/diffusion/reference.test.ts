import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import sharp from 'sharp';
import { createTask } from '../../../src/tasks/registry.ts';
import { readPipeline, type DiffusionParameters } from '../../../src/tasks/text-to-image/pipeline.ts';
import type { SchedulerName } from '../../../src/tasks/text-to-image/scheduler-config.ts';
import { openGraph } from '../../../src/onnx/graph.ts';
import { ImageDecoder } from '../../../src/programs/diffusion/image-decoder.ts';
import { DiffusionPipeline } from '../../../src/programs/diffusion/pipeline.ts';
import { PromptEncoder } from '../../../src/programs/diffusion/prompt-encoder.ts';
import { Unet } from '../../../src/programs/diffusion/unet.ts';
import { sharedModel } from '../../shared-models.ts';
import { laneData } from '../../onnx/models.ts';
import { readNpy } from './npy.ts';
import {
  drawAll,
  floats,
  greatestDifference,
  openShippedProgram,
  SHIPPED_SOURCE,
  ticket,
  ticketOf,
} from './shipped.ts';

/** Cases made with diffusers (reference.json says how): latents after every step, and the image. */

interface Case {
  readonly name: string;
  readonly scheduler: SchedulerName;
  readonly steps: number;
  readonly guidance_scale: number;
  readonly prompt: string;
  readonly negative_prompt: string;
  readonly input_ids: number[];
  readonly negative_input_ids: number[];
  readonly noise: string;
  readonly hidden_states: string;
  readonly step_latents: string;
  readonly step_noise?: string;
  readonly image: string;
  readonly png: string;
  readonly timesteps: number[];
  readonly init_noise_sigma: number;
}

const shared = sharedModel('text-to-image');
const folder = `${shared ?? ''}/reference`;
const cases =
  shared === undefined
    ? []
    : (JSON.parse(await readFile(`${folder}/reference.json`, 'utf8')) as { cases: Case[] }).cases;
const skip = shared === undefined && 'the reference cases are not here';

async function parametersOf(one: Case): Promise<DiffusionParameters> {
  const noise = (await readNpy(`${folder}/${one.noise}`)).values;
  const stepNoise = one.step_noise === undefined ? undefined : (await readNpy(`${folder}/${one.step_noise}`)).values;
  return {
    scheduler: one.scheduler,
    steps: one.steps,
    guidance: one.guidance_scale,
    seed: 0,
    latentHeight: 8,
    latentWidth: 8,
    noise,
    ...(stepNoise === undefined ? {} : { stepNoise: slices(stepNoise, noise.length) }),
  };
}

function slices(values: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: values.length / length }, (_, at) => values.slice(at * length, (at + 1) * length));
}

test('there are cases for every scheduler', { skip }, () => {
  assert.deepEqual(new Set(cases.map(({ scheduler }) => scheduler)), new Set(['ddim', 'euler', 'lcm']));
  assert.equal(cases.length, 14);
});

test('hidden states, latents after every step and the image are those of diffusers', { skip }, async (t) => {
  const lane = laneData();
  const open = (file: string | undefined) => openGraph(file ?? '', {}, lane);
  const { textEncoder, vaeDecoder } = SHIPPED_SOURCE.files;
  const encoder = new PromptEncoder(await open(textEncoder));
  const unet = new Unet(await open(SHIPPED_SOURCE.weights));
  const decoder = new ImageDecoder(await open(vaeDecoder));
  const pipeline = new DiffusionPipeline({ encoder, unet, decoder, options: await readPipeline(SHIPPED_SOURCE) });
  t.after(() => pipeline.release());
  for (const one of cases)
    await t.test(one.name, async () => {
      const ids = [one.input_ids, one.negative_input_ids].map((list) => Int32Array.from(list));
      const [prompt = new Int32Array(0), negative = prompt] = ids;
      const drawing = pipeline.begin(prompt, negative, await parametersOf(one));
      assert.deepEqual(drawing.sampler.timesteps, one.timesteps);
      assert.ok(Math.abs(drawing.sampler.startScale - one.init_noise_sigma) < 1e-4);
      const states = await readNpy(`${folder}/${one.hidden_states}`);
      const encoded = await encoder.encode([prompt, negative]);
      const all = Float32Array.from(encoded.flatMap(({ values }) => [...values]));
      assert.ok(greatestDifference(all, states.values) < 1e-3);
      await pipeline.encode([drawing]);
      const expected = slices((await readNpy(`${folder}/${one.step_latents}`)).values, drawing.latents.length);
      assert.equal(expected.length, one.steps);
      for (const [step, latents] of expected.entries()) {
        await pipeline.step([drawing]);
        const difference = greatestDifference(drawing.latents, latents);
        assert.ok(difference < 1e-3, `step ${step}: latents differ by ${difference}`);
      }
      assert.ok(pipeline.isDone(drawing));
      const image = (await pipeline.decode([drawing])).get(drawing);
      const difference = greatestDifference(floats(image), (await readNpy(`${folder}/${one.image}`)).values);
      // A grey level is 2 / 255.
      assert.ok(difference < 2 / 255 / 4, `the image differs by ${difference}`);
    });
});

test('all cases in one batch, at steps of their own, give the images of the reference', { skip }, async (t) => {
  const program = await openShippedProgram(t);
  const task = await createTask({ ...SHIPPED_SOURCE, signature: program.description.signature });
  const tickets = await Promise.all(
    cases.map(async (one, id) =>
      ticket(id, { prompt: one.input_ids, negative: one.negative_input_ids }, await parametersOf(one)),
    ),
  );
  const images = await drawAll(program, tickets);
  for (const [id, { name, png }] of cases.entries()) {
    const image = images.get(id);
    assert.ok(image !== undefined);
    const reply = await task.finish({ image }, undefined);
    assert.ok('bytes' in reply);
    const drawn = await sharp(reply.bytes).raw().toBuffer({ resolveWithObject: true });
    const expected = await sharp(`${folder}/${png}`).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([drawn.info.width, drawn.info.height, drawn.info.channels], [32, 32, expected.info.channels]);
    const most = drawn.data.reduce(
      (found, value, at) => Math.max(found, Math.abs(value - (expected.data[at] ?? 999))),
      0,
    );
    assert.ok(most <= 1, `${name}: a grey level differs by ${most}`);
  }
});

test('the task makes the token ids of the reference', { skip }, async (t) => {
  const program = await openShippedProgram(t);
  const task = await createTask({ ...SHIPPED_SOURCE, signature: program.description.signature });
  for (const one of cases) {
    const value = { prompt: one.prompt, negative_prompt: one.negative_prompt };
    const { inputs = [] } = ticketOf(1, await task.prepare({ kind: 'json', value }));
    const ids = inputs.map((tensor) => [...new Int32Array((tensor.data as Uint8Array).slice().buffer)]);
    assert.deepEqual(ids, [one.input_ids, one.negative_input_ids]);
  }
});
