import { z } from 'zod';
import type { TensorSpec } from '../../tensors/tensor.ts';
import { readOptions } from '../options.ts';
import { readParameters, topKParameter } from '../parameters.ts';
import type { Prepared, Task, TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { rankClasses, type Ranking } from '../class-scores.ts';
import { ACTIVATION_NAMES } from '../text/scores.ts';
import { floatsOf, imageOptions, isFloat, openImageModel, preprocessingOf } from './image-model.ts';
import { IMAGE_TYPES } from './input.ts';

/**
 * An image in, classes with scores out: `[{"label": "cat", "score": 0.98}, ...]`, best first. The image is prepared as
 * preprocessor_config.json says, as in transformers.
 */

const parameters = z.strictObject({
  top_k: topKParameter,
  function_to_apply: z.enum(ACTIVATION_NAMES).optional(),
});

const options = z.strictObject({
  ...imageOptions,
  /** Default: sigmoid if config.json says that several classes may hold, else softmax. */
  activation: z.enum(ACTIVATION_NAMES).optional(),
  /** Classes in a reply if the request does not say; 0: all. */
  topK: z.number().int().min(0).default(5),
});

const LIGHT_REPLY_BYTES = 4096;

type Memo = Omit<Ranking, 'labels'>;

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createImageClassificationTask(source: TaskSource): Promise<Task> {
  const { activation, layout, topK, maxPixels, preprocessing: own } = readOptions(source, options);
  const output = scoresOf(source);
  const model = openImageModel(source, await preprocessingOf(source, own), { layout, maxPixels });
  const config = await readJsonObject(source.files['config'], 'files.config');
  const isMultiLabel = config['problem_type'] === 'multi_label_classification';
  const usual = activation ?? (isMultiLabel ? 'sigmoid' : 'softmax');
  return {
    rawTypes: IMAGE_TYPES,
    isLight: () => false,
    prepare: async (item): Promise<Prepared> => {
      const { top_k = topK, function_to_apply = usual } = readParameters(item, parameters);
      const { inputs } = await model.read(item);
      return { inputs, memo: { topK: top_k, activation: function_to_apply } satisfies Memo, cost: 1 };
    },
    example: model.example,
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs, memo) => ({
      json: rankClasses(floatsOf(outputs, output.name).values, { labels: source.labels, ...(memo as Memo) }),
    }),
  };
}

/** The output of logits. */
function scoresOf({ signature, labels }: TaskSource): TensorSpec {
  const output = signature.outputs.find(({ name }) => name === 'logits') ?? signature.outputs[0];
  if (output === undefined || !isFloat(output))
    throw new Error('image-classification needs a model with a float output');
  const classes = output.shape.at(-1);
  if (labels !== undefined && classes !== undefined && classes > 1 && classes !== labels.length)
    throw new Error(`there are ${labels.length} labels for the ${classes} classes of output ${output.name}`);
  return output;
}
