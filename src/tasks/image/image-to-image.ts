import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import type { Tensor, TensorSpec } from '../../tensors/tensor.ts';
import { IMAGE_TYPES, readImageBytes } from './input.ts';
import { imageTensor, LAYOUTS, tensorImage, type Layout, type Range } from './image-tensor.ts';
import { readOptions } from '../options.ts';
import { refuseParameters } from '../parameters.ts';
import { OUTPUT_FORMATS, type Pixels } from './pixels.ts';
import type { Item, Prepared, Task, TaskSource } from '../task.ts';

/**
 * Image in, image out: a PNG, JPEG or WebP becomes a float32 tensor [1, height, width, 3] (or nchw), and the model's output becomes a file.
 * An item costs its pixels. Only images of the same size can share a run.
 */

const channelValues = z.tuple([z.number(), z.number(), z.number()]);
const divisors = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]);

const options = z.strictObject({
  layout: z.enum(LAYOUTS).default('nhwc'),
  /** The model's input is (sample * scale - mean) / std, of samples from 0 to 255. */
  scale: z.number().positive().default(1),
  mean: channelValues.default([0, 0, 0]),
  std: divisors.default([1, 1, 1]),
  /** The same for the model's output; default: as the input. */
  outputScale: z.number().positive().optional(),
  outputMean: channelValues.optional(),
  outputStd: divisors.optional(),
  /** Format of the reply. */
  output: z.enum(OUTPUT_FORMATS).default('png'),
  /** Most pixels of an input image. */
  maxPixels: z.number().int().min(1).default(1_000_000),
});

/** Builds the task for a model with one float32 input [1, height, width, channels] (or nchw) and a float32 output. Throws a plain Error that says what is wrong with the model or its options. */
export function createImageToImageTask(source: TaskSource): Task {
  const read = readOptions(source, options);
  const { layout, scale, mean, std, output, maxPixels } = read;
  const [input, result] = imageSpecs(source);
  const inputRange: Range = { scale, mean, std };
  const outputRange: Range = {
    scale: read.outputScale ?? scale,
    mean: read.outputMean ?? mean,
    std: read.outputStd ?? std,
  };
  return {
    rawTypes: IMAGE_TYPES,
    isLight: () => false,
    prepare: async (item: Item): Promise<Prepared> => {
      refuseParameters(item);
      const bytes = readImageBytes(item);
      const { decodeImage } = await import('./codec.ts');
      const pixels = await decodeImage(bytes, maxPixels);
      checkSize(pixels, input, layout);
      return {
        inputs: { [input.name]: imageTensor(pixels, layout, inputRange) },
        cost: pixels.width * pixels.height,
      };
    },
    checkTensors: ([tensor]) => checkPixels(tensor, { layout, maxPixels }),
    isLightReply: () => false,
    finish: async (outputs) => {
      const image = tensorImage(outputs[result.name], layout, outputRange);
      const { encodeImage } = await import('./codec.ts');
      return { contentType: `image/${output}`, bytes: await encodeImage(image, output) };
    },
  };
}

function imageSpecs({ signature }: TaskSource): [TensorSpec, TensorSpec] {
  const [input, ...others] = signature.inputs;
  const [output] = signature.outputs;
  if (input?.datatype !== 'FP32' || input.shape.length !== 4 || others.length > 0 || output?.datatype !== 'FP32')
    throw new Error('image-to-image needs a model with one float32 input of four dimensions and a float32 output');
  return [input, output];
}

/** Throws TOO_LARGE for images sent as tensors, by the limit for those sent as files. */
function checkPixels(tensor: Tensor | undefined, { layout, maxPixels }: { layout: Layout; maxPixels: number }): void {
  const [height = 1, width = 1] = (layout === 'nhwc' ? tensor?.shape.slice(1, 3) : tensor?.shape.slice(2, 4)) ?? [];
  if (height * width > maxPixels)
    throw new ServerError(
      'TOO_LARGE',
      `This image has ${height * width} pixels; the model takes ${maxPixels} (maxPixels in the options of model.json).`,
    );
}

/** Throws INVALID_INPUT if the model takes only another size: how to scale is the caller's choice. */
function checkSize({ width, height }: Pixels, { shape }: TensorSpec, layout: Layout): void {
  const [fixedHeight = -1, fixedWidth = -1] = layout === 'nhwc' ? shape.slice(1, 3) : shape.slice(2, 4);
  if ((fixedHeight === -1 || fixedHeight === height) && (fixedWidth === -1 || fixedWidth === width)) return;
  const text = (size: number): string => (size === -1 ? 'any' : String(size));
  throw new ServerError(
    'INVALID_INPUT',
    `This model takes images of ${text(fixedWidth)} x ${text(fixedHeight)} pixels, not ${width} x ${height}.`,
  );
}
