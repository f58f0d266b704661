import type { TestContext } from 'node:test';
import { chooseProgram } from '../../../src/tasks/registry.ts';
import { PROMPT, NEGATIVE_PROMPT, type DiffusionParameters } from '../../../src/tasks/text-to-image/pipeline.ts';
import type { Prepared, TaskSource } from '../../../src/tasks/task.ts';
import { fromTypedArray, typedView, type Tensor } from '../../../src/tensors/tensor.ts';
import type { LaneTicket } from '../../../src/lanes/protocol.ts';
import { openDiffusionProgram, type DiffusionProgram } from '../../../src/programs/diffusion/program.ts';
import { pathOf } from '../../tasks/support.ts';
import { laneData, specOf } from '../../onnx/models.ts';

/** The shipped model, opened as a lane would. */

const FOLDER = pathOf('models/text-to-image');

/** What the task gets from the folder. */
export const SHIPPED_SOURCE: Omit<TaskSource, 'signature'> = {
  key: 'text-to-image/1#1',
  model: 'text-to-image',
  task: 'text-to-image',
  folder: FOLDER,
  weights: `${FOLDER}/unet/model.onnx`,
  files: {
    textEncoder: `${FOLDER}/text_encoder/model.onnx`,
    textEncoderConfig: `${FOLDER}/text_encoder/config.json`,
    unetConfig: `${FOLDER}/unet/config.json`,
    vaeDecoder: `${FOLDER}/vae_decoder/model.onnx`,
    vaeConfig: `${FOLDER}/vae_decoder/config.json`,
    scheduler: `${FOLDER}/scheduler/scheduler_config.json`,
    modelIndex: `${FOLDER}/model_index.json`,
    tokenizer: `${FOLDER}/tokenizer/tokenizer.json`,
    tokenizerConfig: `${FOLDER}/tokenizer/tokenizer_config.json`,
  },
  options: { steps: 20, guidance: 4 },
};

export async function openShippedProgram(t: TestContext): Promise<DiffusionProgram> {
  const program = await chooseProgram(SHIPPED_SOURCE);
  if (program === undefined) throw new Error('the task has no program');
  const opened = await openDiffusionProgram(specOf(SHIPPED_SOURCE.weights, { program }), laneData());
  t.after(() => opened.release());
  return opened;
}

export function ticket(
  id: number,
  ids: { prompt: readonly number[]; negative: readonly number[] },
  parameters: DiffusionParameters,
): LaneTicket {
  const tensor = (values: readonly number[]): Tensor =>
    fromTypedArray('INT32', [1, values.length], Int32Array.from(values));
  return { id, inputs: [tensor(ids.prompt), tensor(ids.negative)], parameters };
}

/** A prepared item as its lane gets it. */
export function ticketOf(id: number, { inputs, parameters }: Prepared): LaneTicket {
  const tensors = [PROMPT, NEGATIVE_PROMPT].flatMap((name) => inputs[name] ?? []);
  return { id, inputs: tensors, parameters };
}

/** Runs tickets together until all have ended, as the core does; images by ticket id. */
export async function drawAll(program: DiffusionProgram, tickets: readonly LaneTicket[]): Promise<Map<number, Tensor>> {
  const images = new Map<number, Tensor>();
  let live = tickets;
  while (live.length > 0) {
    const { outcomes } = await program.run(live);
    const next: LaneTicket[] = [];
    for (const [index, { id }] of live.entries()) {
      const outcome = outcomes[index];
      if (outcome?.ok !== true) throw new Error(outcome?.message ?? 'no outcome');
      const [image] = 'outputs' in outcome ? outcome.outputs : [];
      if (image === undefined) next.push({ id });
      else images.set(id, image);
    }
    live = next;
  }
  return images;
}

export function floats(image: Tensor | undefined): Float32Array {
  const values = image?.datatype === 'FP32' ? typedView(image) : undefined;
  if (!(values instanceof Float32Array)) throw new Error('there is no image');
  return values;
}

export function greatestDifference(one: Float32Array, other: Float32Array): number {
  if (one.length !== other.length) throw new Error(`${one.length} numbers against ${other.length}`);
  return one.reduce((most, value, at) => Math.max(most, Math.abs(value - (other[at] ?? NaN))), 0);
}
