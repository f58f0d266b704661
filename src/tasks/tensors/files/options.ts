import { z } from 'zod';
import type { TaskSource } from '../../task.ts';
import type { TensorSpec } from '../../../tensors/tensor.ts';
import { LAYOUTS } from '../../image/image-tensor.ts';
import { OUTPUT_FORMATS } from '../../image/pixels.ts';

/** Which inputs of a bare graph are made from files, and which output becomes one (`options` of model.json). */

const channelValues = z.array(z.number()).min(1).max(4);
const divisors = z.array(z.number().positive()).min(1).max(4);
const side = z.number().int().min(1).max(16_384);

const image = z.strictObject({
  /** Default: by the axis of 1 or 3 channels in the graph's shape. */
  layout: z.enum(LAYOUTS).optional(),
  /** Default: that of the graph, else the image's own. With one of them alone, the image keeps its proportions. */
  width: side.optional(),
  height: side.optional(),
  /** Default: grey for a graph of one channel, else RGB. */
  colours: z.enum(['rgb', 'bgr', 'grey']).optional(),
  /** The input is (sample * scale - mean) / std, of samples from 0 to 255. Default: 1/255; 1 of an input of bytes. */
  scale: z.number().positive().optional(),
  mean: channelValues.default([0]),
  std: divisors.default([1]),
  maxPixels: z.number().int().min(1).default(25_000_000),
});

const audio = z.strictObject({
  rateHz: z.number().int().min(1000).max(192_000).default(16_000),
  /** Longest sound. */
  maxSeconds: z.number().positive().max(3600).default(60),
});

const input = z.union([
  z.strictObject({ image }),
  z.strictObject({ audio }),
  /** A number in each place, where a request leaves the input out. */
  z.strictObject({ fill: z.number() }),
]);

const imageOutput = z.strictObject({
  layout: z.enum(LAYOUTS).optional(),
  /** A sample is (value * std + mean) / scale. */
  scale: z
    .number()
    .positive()
    .default(1 / 255),
  mean: channelValues.default([0]),
  std: divisors.default([1]),
  format: z.enum(OUTPUT_FORMATS).default('png'),
});

export const fileOptions = z.strictObject({
  inputs: z.record(z.string(), input).default({}),
  outputs: z.record(z.string(), z.strictObject({ image: imageOutput })).default({}),
});

export type ImageInput = z.output<typeof image>;
export type AudioInput = z.output<typeof audio>;
export type ImageOutput = z.output<typeof imageOutput>;
export type FileOptions = z.output<typeof fileOptions>;

/**
 * The options, with the input of files that an example in model.json implies where they name none: the only float input that an image or a sound fits.
 * Throws a plain Error for names that the graph does not have.
 */
export function withExample(options: FileOptions, source: TaskSource): FileOptions {
  const { signature, exampleType = '' } = source;
  for (const [place, given, specs] of [
    ['inputs', options.inputs, signature.inputs],
    ['outputs', options.outputs, signature.outputs],
  ] as const)
    for (const name of Object.keys(given))
      if (!specs.some((spec) => spec.name === name))
        throw new Error(`options.${place}.${name}: the graph has ${specs.map((spec) => spec.name).join(', ')}`);
  const hasFiles = Object.values(options.inputs).some((one) => !('fill' in one));
  if (hasFiles || !/^(image|audio)\//.test(exampleType)) return options;
  const isImage = exampleType.startsWith('image/');
  const fitting = signature.inputs.filter((spec) => (isImage ? fitsImage(spec) : fitsSound(spec)));
  const [only, other] = fitting;
  if (only === undefined || other !== undefined)
    throw new Error(`the example is ${exampleType}; say in options.inputs which input it is for`);
  const implied = isImage ? { image: image.parse({}) } : { audio: audio.parse({}) };
  return { ...options, inputs: { ...options.inputs, [only.name]: implied } };
}

const NUMBERS: ReadonlySet<string> = new Set(['FP32', 'FP16', 'UINT8']);

/** Whether an image, of these sizes where they are said, can be an input of this type and shape. */
export function fitsImage({ datatype, shape }: TensorSpec, { width, height }: Partial<ImageInput> = {}): boolean {
  const isOpen = (side: number | undefined): boolean =>
    side === undefined || shape.includes(-1) || shape.includes(side);
  return NUMBERS.has(datatype) && (shape.length === 3 || shape.length === 4) && isOpen(width) && isOpen(height);
}

/** The same of a sound. */
export function fitsSound({ datatype, shape }: TensorSpec): boolean {
  return (datatype === 'FP32' || datatype === 'FP16') && shape.length >= 1 && shape.length <= 3;
}
