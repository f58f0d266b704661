import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { narrowHalf, widenHalf } from '../../tensors/half-float.ts';
import { elementCount, fromTypedArray, typedView, type FixedTensor, type TensorSpec } from '../../tensors/tensor.ts';
import { readJsonObject } from '../text/json-file.ts';
import type { Item, Outputs, Prepared, TaskSource } from '../task.ts';
import { LAYOUTS, type Layout } from './image-tensor.ts';
import { readImageBytes } from './input.ts';
import { placeImage, type Frame } from './placing.ts';
import { readPreprocessing, type Preprocessing } from './preprocessing.ts';
import { resizedSize, type Size } from './resizing.ts';

/** What tasks that look at an image have in common: its preparation, and reading what the graph gives. */

/** Options of model.json. */
export const imageOptions = {
  layout: z.enum(LAYOUTS).default('nchw'),
  /** Most pixels of an input image. */
  maxPixels: z.number().int().min(1).default(25_000_000),
  /** Overrides preprocessor_config.json, field by field. */
  preprocessing: z.record(z.string(), z.unknown()).default({}),
};

interface ReadOptions {
  readonly layout: Layout;
  readonly maxPixels: number;
  readonly preprocessing: Readonly<Record<string, unknown>>;
}

/** An image as the graph takes it. */
export interface ReadImage {
  readonly inputs: Readonly<Record<string, FixedTensor>>;
  readonly frame: Frame;
}

export interface ImageModel {
  /** Throws INVALID_INPUT, TOO_LARGE or UNSUPPORTED_MEDIA_TYPE for an image that it cannot take. */
  readonly read: (item: Item) => Promise<ReadImage>;
  /** A made-up image, for the trial and the warm-up. */
  readonly example: () => Prepared;
}

/** preprocessor_config.json with the options over it. Throws a plain Error if there is neither, or if a field is not supported. */
export async function preprocessingOf(
  { files, task }: Pick<TaskSource, 'files' | 'task'>,
  own: ReadOptions['preprocessing'],
): Promise<Preprocessing> {
  if (files['preprocessorConfig'] === undefined && Object.keys(own).length === 0)
    throw new Error(`${task} needs preprocessor_config.json, or options.preprocessing in its place`);
  const config = await readJsonObject(files['preprocessorConfig'], 'files.preprocessorConfig');
  return readPreprocessing({ ...config, ...own });
}

/** Builds the reader of a model's images. Throws a plain Error that says what is wrong with the model or its configs. */
export function openImageModel(
  { signature, task }: Pick<TaskSource, 'signature' | 'task'>,
  preprocessing: Preprocessing,
  { layout, maxPixels }: Omit<ReadOptions, 'preprocessing'>,
): ImageModel {
  const [input, mask] = inputsOf(signature.inputs, task);
  const inputsFor = (tensor: FixedTensor, frame: Frame): ReadImage['inputs'] => ({
    [input.name]: input.datatype === 'FP16' ? narrowHalf(tensor) : tensor,
    ...(mask === undefined ? {} : { [mask.name]: maskOf(mask, frame.input) }),
  });
  return {
    read: async (item) => {
      const bytes = readImageBytes(item);
      const { decodeImage } = await import('./codec.ts');
      const image = await decodeImage(bytes, maxPixels);
      const { tensor, frame } = await placeImage(image, preprocessing, { layout, maxPixels });
      checkShape(tensor, input, layout);
      return { inputs: inputsFor(tensor, frame), frame };
    },
    example: () => {
      const size = exampleSize(preprocessing, input, layout);
      const whole = { image: size, input: size, left: 0, top: 0, ...size };
      return { inputs: inputsFor(madeUp(size, layout), whole), memo: whole, cost: 1 };
    },
  };
}

export function isFloat({ datatype }: TensorSpec): boolean {
  return datatype === 'FP32' || datatype === 'FP16';
}

/** The input of images, and of the mask that DETR and its kin have. */
function inputsOf(inputs: readonly TensorSpec[], task: string): [TensorSpec, TensorSpec | undefined] {
  const image = inputs.find((spec) => isFloat(spec) && spec.shape.length === 4);
  const mask = inputs.find(({ name }) => name === 'pixel_mask');
  const other = inputs.find((spec) => spec !== image && spec !== mask);
  if (image === undefined || other !== undefined)
    throw new Error(
      `${task} needs a model with one float input of four dimensions${other === undefined ? '' : `; what would ${other.name} be?`}`,
    );
  return [image, mask];
}

/** All pixels count. Some exports have a mask of a fixed size, whatever the image's. */
function maskOf({ datatype, shape }: TensorSpec, { width, height }: Size): FixedTensor {
  const [, down = -1, across = -1] = shape;
  const sides = [1, down === -1 ? height : down, across === -1 ? width : across];
  const count = elementCount(sides);
  if (datatype === 'INT64') return fromTypedArray('INT64', sides, new BigInt64Array(count).fill(1n));
  if (datatype === 'BOOL') return fromTypedArray('BOOL', sides, new Uint8Array(count).fill(1));
  if (datatype === 'FP32') return fromTypedArray('FP32', sides, new Float32Array(count).fill(1));
  throw new Error(`pixel_mask of ${datatype} is not supported`);
}

/** Throws INVALID_INPUT if the graph does not take the image's size, which can happen only where images keep their proportions. */
function checkShape({ shape }: FixedTensor, { shape: wanted }: TensorSpec, layout: Layout): void {
  if (wanted.every((side, axis) => axis === 0 || side === -1 || side === shape[axis])) return;
  const [height, width] = layout === 'nhwc' ? shape.slice(1, 3) : shape.slice(2, 4);
  throw new ServerError('INVALID_INPUT', `This model does not take images of ${width ?? 0} x ${height ?? 0} pixels.`);
}

/** Suits patches of 14, 16 and 32 pixels. */
const USUAL_SIDE = 224;

/** A size that the model takes: that of all prepared images if they have one, else a small one. */
export function exampleSide({ resize, crop, padding }: Preprocessing): Size {
  const square = { width: USUAL_SIDE, height: USUAL_SIDE };
  const isFixed = resize !== undefined && ('width' in resize || 'near' in resize);
  const { width, height } = padding?.to ?? crop ?? (isFixed ? resizedSize(square, resize) : square);
  return { width, height };
}

/** The same, as far as the graph leaves it open. */
function exampleSize(preprocessing: Preprocessing, { shape }: TensorSpec, layout: Layout): Size {
  const [height = -1, width = -1] = layout === 'nhwc' ? shape.slice(1, 3) : shape.slice(2, 4);
  const usual = exampleSide(preprocessing);
  return { width: width === -1 ? usual.width : width, height: height === -1 ? usual.height : height };
}

/** Waves of different lengths, so that no two parts of the image are alike. */
function madeUp({ width, height }: Size, layout: Layout): FixedTensor {
  const values = Float32Array.from(
    { length: width * height * 3 },
    (_, at) => Math.sin(at * 0.37) + Math.sin(at * 1e-3),
  );
  return fromTypedArray('FP32', layout === 'nhwc' ? [1, height, width, 3] : [1, 3, height, width], values);
}

/** Float values of an output, with its shape. Throws a plain Error if the run did not give it. */
export function floatsOf(
  outputs: Outputs,
  name: string,
): { readonly values: Float32Array; readonly shape: readonly number[] } {
  const tensor = outputs[name];
  const wide = tensor?.datatype === 'FP16' ? widenHalf(tensor) : tensor;
  const values = wide?.datatype === 'FP32' ? typedView(wide) : undefined;
  if (wide === undefined || !(values instanceof Float32Array)) throw new Error(`the run gave no floats as ${name}`);
  return { values, shape: wide.shape };
}

/** The first of these outputs that a graph gives as floats. Throws a plain Error that lists what there is. */
export function outputOf(
  { signature, task }: Pick<TaskSource, 'signature' | 'task'>,
  names: readonly string[],
): TensorSpec {
  const found = names
    .map((name) => signature.outputs.find((spec) => spec.name === name && isFloat(spec)))
    .find((spec) => spec !== undefined);
  if (found !== undefined) return found;
  const there = signature.outputs.map(({ name }) => name).join(', ');
  throw new Error(`${task} needs a float output ${names.join(' or ')}; the graph gives ${there}`);
}
