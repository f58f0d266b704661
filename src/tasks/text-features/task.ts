import { z } from 'zod';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { typedView, type Tensor } from '../../tensors/tensor.ts';
import { readOptions } from '../options.ts';
import { readParameters, topKParameter } from '../parameters.ts';
import type { ProgramSpec, Reply, Task, TaskSource } from '../task.ts';
import { createTextFeatures, FEATURE_NAMES } from './table.ts';
import { readText, TEXT_TYPES, textLength } from '../text/text-input.ts';
import { truncation } from '../text/parameters.ts';
import { ACTIVATION_NAMES, ACTIVATIONS, type Activation } from '../text/scores.ts';
import {
  chooseSequenceClassificationProgram,
  createSequenceClassificationTask,
} from '../text/sequence-classification.ts';

/**
 * Text in, classes with scores out: `[{"label": "deu", "score": 0.98}, ...]`, best first. The request's `parameters.top_k`
 * says how many (0: all).
 */

const options = z.strictObject({
  /** How the text becomes the model's inputs. */
  features: z.enum(FEATURE_NAMES),
  /** Applied to the model's scores; `none` if the graph does it. */
  activation: z.enum(ACTIVATION_NAMES).default('none'),
  /** The output with the scores; default: the first float32 output. */
  output: z.string().optional(),
  /** Classes in a reply if the request does not say; 0: all. */
  topK: z.number().int().min(0).default(5),
  /** Longest text in UTF-16 units. */
  maxCharacters: z.number().int().min(1).default(100_000),
});

/** There are no parameters for cutting, because the text is never cut. */
const parameters = z.strictObject({ top_k: topKParameter, raw_scores: z.boolean().default(false), ...truncation });

const LIGHT_REPLY_BYTES = 4_096;

interface Memo {
  readonly topK: number;
  readonly raw: boolean;
}

/** A model with a tokenizer is a text encoder, unless its options name features. */
function hasTokens({ files, options: own }: Pick<TaskSource, 'files' | 'options'>): boolean {
  return files['tokenizer'] !== undefined && own['features'] === undefined;
}

/** The program of a text encoder if the model is one, else none. Throws a plain Error that names the file at fault. */
export async function chooseTextClassificationProgram(
  source: Omit<TaskSource, 'signature'>,
): Promise<ProgramSpec | undefined> {
  return hasTokens(source) ? chooseSequenceClassificationProgram(source) : undefined;
}

/** Builds the task: by features, or for a model with a tokenizer as a text encoder. Throws a plain Error that says what is wrong with the model or its options. */
export async function createTextClassificationTask(source: TaskSource): Promise<Task> {
  if (hasTokens(source)) return createSequenceClassificationTask(source);
  const { features: name, activation, output, topK, maxCharacters } = readOptions(source, options);
  const features = await createTextFeatures(name, source);
  const scores = scoresOutput(source, output);
  return {
    rawTypes: TEXT_TYPES,
    isLight: (item) => textLength(item) <= features.lightLength,
    prepare: (item) => {
      const asked = readParameters(item, parameters);
      const memo: Memo = { topK: asked.top_k ?? topK, raw: asked.raw_scores };
      return { inputs: features.inputs(readText(item, maxCharacters)), memo, cost: 1 };
    },
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs, memo) => classify(outputs[scores], { memo: memo as Memo, activation, labels: source.labels }),
  };
}

/** The name of the output with the scores. Throws a plain Error if there is none, or if the labels do not fit it. */
function scoresOutput({ signature, labels }: TaskSource, name: string | undefined): string {
  const spec = signature.outputs.find((output) =>
    name === undefined ? output.datatype === 'FP32' : output.name === name,
  );
  if (spec?.datatype !== 'FP32') throw new Error('text-classification needs a float32 output with a score a class');
  const classes = spec.shape.at(-1);
  if (labels !== undefined && classes !== undefined && classes > 1 && classes !== labels.length)
    throw new Error(`there are ${labels.length} labels for the ${classes} classes of output ${spec.name}`);
  return spec.name;
}

interface Ranking {
  readonly memo: Memo;
  readonly activation: Activation;
  readonly labels: readonly string[] | undefined;
}

function classify(tensor: Tensor | undefined, { memo, activation, labels }: Ranking): Reply {
  const values = tensor?.datatype === 'FP32' ? typedView(tensor) : undefined;
  if (!(values instanceof Float32Array)) throw new Error('the run gave no scores');
  if (labels !== undefined && labels.length !== values.length)
    throw new Error(`the run gave ${values.length} scores for ${labels.length} labels`);
  const scores = ACTIVATIONS[memo.raw ? 'none' : activation](values);
  const ranked = Array.from(scores, (score, index) => ({ label: labels?.[index] ?? String(index), score }));
  ranked.sort((one, other) => other.score - one.score);
  const kept = memo.topK === 0 ? ranked : ranked.slice(0, memo.topK);
  return { json: kept.map(({ label, score }) => ({ label, score: shortFloat32(score) })) };
}
