import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import type { Prepared, Task, TaskSource } from '../task.ts';
import { floatsOf, imageOptions, openImageModel, outputOf, preprocessingOf } from '../image/image-model.ts';
import { IMAGE_TYPES } from '../image/input.ts';
import type { Frame } from '../image/placing.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import { classesOf } from './classes.ts';

/** An image in, a mask for each class in it out: `[{"label": "sky", "mask": base64 of a PNG}, ...]`, the largest first. */

const parameters = z.strictObject({ subtask: z.string().optional() });

const options = z.strictObject({
  ...imageOptions,
  /** Most masks of a reply: those of the largest areas. */
  maxMasks: z.number().int().min(1).max(1000).default(100),
});

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createImageSegmentationTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const output = outputOf(source, ['logits']);
  const model = openImageModel(source, await preprocessingOf(source, own.preprocessing), own);
  return {
    rawTypes: IMAGE_TYPES,
    isLight: () => false,
    prepare: async (item): Promise<Prepared> => {
      const { subtask = 'semantic' } = readParameters(item, parameters);
      if (subtask !== 'semantic')
        throw new ServerError('INVALID_INPUT', 'This model segments by class: subtask must be "semantic".', {
          param: 'subtask',
        });
      const { inputs, frame } = await model.read(item);
      return { inputs, memo: frame, cost: 1 };
    },
    example: model.example,
    isLightReply: () => false,
    finish: async (outputs, memo) => {
      const frame = memo as Frame;
      const { values, shape } = floatsOf(outputs, output.name);
      const [, classes = 0, height = 0, width = 0] = shape;
      if (shape.length !== 4) throw new Error('logits are not [1, classes, height, width]');
      const pixels = classesOf(values, { classes, height, width }, frame);
      const masks = [];
      for (const classId of largest(pixels, classes).slice(0, own.maxMasks))
        masks.push({ label: source.labels?.[classId] ?? String(classId), mask: await maskOf(pixels, classId, frame) });
      return { json: masks };
    },
  };
}

/** The classes that occur, by their area. */
function largest(pixels: Uint16Array, classes: number): number[] {
  const areas = new Uint32Array(classes);
  for (const classId of pixels) areas[classId] = (areas[classId] ?? 0) + 1;
  const there = Array.from(areas.keys()).filter((classId) => (areas[classId] ?? 0) > 0);
  return there.sort((one, other) => (areas[other] ?? 0) - (areas[one] ?? 0));
}

async function maskOf(pixels: Uint16Array, classId: number, { image }: Frame): Promise<string> {
  const data = Uint8Array.from(pixels, (one) => (one === classId ? 255 : 0));
  const { encodeImage } = await import('../image/codec.ts');
  const file = await encodeImage({ ...image, channels: 1, data }, 'png');
  return Buffer.from(file.buffer, file.byteOffset, file.byteLength).toString('base64');
}
