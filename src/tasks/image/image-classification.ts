import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { narrowHalf, widenHalf } from '../../tensors/half-float.ts';
import { typedView, type Tensor, type TensorSpec } from '../../tensors/tensor.ts';
import { IMAGE_TYPES, readImageBytes } from './input.ts';
import { cropMiddle, readPreprocessing, resizedSize, type Preprocessing } from './preprocessing.ts';
import { imageTensor, LAYOUTS, type Layout } from './image-tensor.ts';
import { readOptions } from '../options.ts';
import { readParameters, topKParameter } from '../parameters.ts';
import type { Pixels } from './pixels.ts';
import type { Prepared, Reply, Task, TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { ACTIVATIONS, ACTIVATION_NAMES, type Activation } from '../text/scores.ts';

/**
 * An image in, classes with scores out: `[{"label": "cat", "score": 0.98}, ...]`, best first. The image is prepared as
 * preprocessor_config.json says, as in transformers.
 */

const parameters = z.strictObject({ top_k: topKParameter });

const options = z.strictObject({
  /** Default: sigmoid if config.json says that several classes may hold, else softmax. */
  activation: z.enum(ACTIVATION_NAMES).optional(),
  layout: z.enum(LAYOUTS).default('nchw'),
  /** Classes in a reply if the request does not say; 0: all. */
  topK: z.number().int().min(0).default(5),
  /** Most pixels of an input image. */
  maxPixels: z.number().int().min(1).default(25_000_000),
  /** Overrides preprocessor_config.json, field by field. */
  preprocessing: z.record(z.string(), z.unknown()).default({}),
});

const LIGHT_REPLY_BYTES = 4096;

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createImageClassificationTask(source: TaskSource): Promise<Task> {
  const { activation, layout, topK, maxPixels, preprocessing: own } = readOptions(source, options);
  const [input, output] = specsOf(source);
  if (source.files['preprocessorConfig'] === undefined && Object.keys(own).length === 0)
    throw new Error('image-classification needs preprocessor_config.json, or options.preprocessing in its place');
  const preprocessing = readPreprocessing({
    ...(await readJsonObject(source.files['preprocessorConfig'], 'files.preprocessorConfig')),
    ...own,
  });
  const config = await readJsonObject(source.files['config'], 'files.config');
  const isMultiLabel = config['problem_type'] === 'multi_label_classification';
  const ranking = { activation: activation ?? (isMultiLabel ? 'sigmoid' : 'softmax'), labels: source.labels } as const;
  return {
    rawTypes: IMAGE_TYPES,
    isLight: () => false,
    prepare: async (item): Promise<Prepared> => {
      const memo = readParameters(item, parameters).top_k ?? topK;
      const bytes = readImageBytes(item);
      const { decodeImage } = await import('./codec.ts');
      const image = await decodeImage(bytes, maxPixels);
      const pixels = await preprocess(image, preprocessing, maxPixels);
      const tensor = imageTensor(pixels, layout, preprocessing.range);
      checkShape(tensor, input, layout);
      return { inputs: { [input.name]: tensorOf(tensor, input) }, memo, cost: 1 };
    },
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs, memo) => rank(outputs[output.name], { ...ranking, topK: memo as number }),
  };
}

/** The image resized and cropped for the model, in samples from 0 to 255. Throws INVALID_INPUT if it is so narrow that resizing would make it too large. */
async function preprocess(
  image: Pixels,
  { resize, resampling, crop }: Preprocessing,
  maxPixels: number,
): Promise<Pixels> {
  const { resizeImage } = await import('./codec.ts');
  const size = resize === undefined ? image : resizedSize(image, resize);
  if (size.width * size.height > maxPixels)
    throw new ServerError('INVALID_INPUT', `An image of ${image.width} x ${image.height} pixels is too narrow.`);
  const resized = await resizeImage(image, { width: size.width, height: size.height }, resampling);
  return crop === undefined ? resized : cropMiddle(resized, crop);
}

/** The input of images, and the output of logits. */
function specsOf({ signature, labels }: TaskSource): [TensorSpec, TensorSpec] {
  const [input, ...others] = signature.inputs;
  const output = signature.outputs.find(({ name }) => name === 'logits') ?? signature.outputs[0];
  const isFloat = (spec: TensorSpec): boolean => spec.datatype === 'FP32' || spec.datatype === 'FP16';
  if (input?.shape.length !== 4 || others.length > 0 || !isFloat(input) || output === undefined || !isFloat(output))
    throw new Error('image-classification needs a model with one float input of four dimensions and a float output');
  const classes = output.shape.at(-1);
  if (labels !== undefined && classes !== undefined && classes > 1 && classes !== labels.length)
    throw new Error(`there are ${labels.length} labels for the ${classes} classes of output ${output.name}`);
  return [input, output];
}

/** Throws INVALID_INPUT if the graph does not take the image's size, which can happen only without resize and crop. */
function checkShape({ shape }: Tensor, { shape: wanted }: TensorSpec, layout: Layout): void {
  if (wanted.every((side, axis) => axis === 0 || side === -1 || side === shape[axis])) return;
  const [height, width] = layout === 'nhwc' ? shape.slice(1, 3) : shape.slice(2, 4);
  throw new ServerError('INVALID_INPUT', `This model does not take images of ${width ?? 0} x ${height ?? 0} pixels.`);
}

function tensorOf(tensor: Tensor, { datatype }: TensorSpec): Tensor {
  if (datatype !== 'FP16' || tensor.datatype === 'BYTES') return tensor;
  return narrowHalf(tensor);
}

interface Ranking {
  readonly activation: Activation;
  readonly labels: readonly string[] | undefined;
  readonly topK: number;
}

function rank(tensor: Tensor | undefined, { activation, labels, topK }: Ranking): Reply {
  const wide = tensor?.datatype === 'FP16' ? widenHalf(tensor) : tensor;
  const logits = wide?.datatype === 'FP32' ? typedView(wide) : undefined;
  if (!(logits instanceof Float32Array)) throw new Error('the run gave no scores');
  const scores = Array.from(ACTIVATIONS[activation](logits), (score, index) => ({
    label: labels?.[index] ?? String(index),
    score,
  }));
  scores.sort((one, other) => other.score - one.score);
  const kept = topK === 0 ? scores : scores.slice(0, topK);
  return { json: kept.map(({ label, score }) => ({ label, score: shortFloat32(score) })) };
}
