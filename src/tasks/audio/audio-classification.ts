import { z } from 'zod';
import { rankClasses } from '../class-scores.ts';
import { floatsOf, outputOf } from '../image/image-model.ts';
import { readOptions } from '../options.ts';
import { readParameters, topKParameter } from '../parameters.ts';
import type { Item, Reply, ServeContext, Task, TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { ACTIVATION_NAMES, type Activation } from '../text/scores.ts';
import { rawSound } from '../transcription/audio-item.ts';
import { openSoundModel, soundOptions } from './sound-model.ts';

/** A sound in, classes with scores out: `[{"label": "dog", "score": 0.98}, ...]`, best first, as in transformers. */

const parameters = z.strictObject({
  top_k: topKParameter,
  function_to_apply: z.enum(ACTIVATION_NAMES).optional(),
});

const options = z.strictObject({
  ...soundOptions,
  /** Default: what config.json says of the problem, else softmax. */
  activation: z.enum(ACTIVATION_NAMES).optional(),
  /** Classes in a reply if the request does not say; 0: all. */
  topK: z.number().int().min(0).default(5),
});

/** By `problem_type` of config.json. */
const USUAL: ReadonlyMap<unknown, Activation> = new Map([
  ['regression', 'none'],
  ['multi_label_classification', 'sigmoid'],
]);

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createAudioClassificationTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const output = outputOf(source, ['logits']);
  const classes = output.shape.at(-1) ?? -1;
  const { labels } = source;
  if (labels !== undefined && classes > 0 && classes !== labels.length)
    throw new Error(`there are ${labels.length} labels for the ${classes} classes of output ${output.name}`);
  const model = await openSoundModel(source, own);
  const { problem_type: problem } = await readJsonObject(source.files['config'], 'files.config');
  const usual = own.activation ?? USUAL.get(problem) ?? 'softmax';
  const serve = async (item: Item, context: ServeContext): Promise<Reply> => {
    const { top_k: topK = own.topK, function_to_apply: activation = usual } = readParameters(item, parameters);
    const { values } = floatsOf(await model.run(item, context), output.name);
    return { json: rankClasses(values, { labels, activation, topK }) };
  };
  return { ...model.task, serve, reading: { read: rawSound, serve } };
}
