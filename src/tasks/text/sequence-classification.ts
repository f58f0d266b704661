import { z } from 'zod';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { readOptions } from '../options.ts';
import type { Item, Outputs, Prepared, ProgramSpec, Reply, Task, TaskSource } from '../task.ts';
import { TEXT_TYPES } from './text-input.ts';
import { encoderOptions, encoderProgram, openLabelledModel, type EncoderModel } from './encoder-model.ts';
import { readParameters, topKParameter } from '../parameters.ts';
import { cutOf, truncation } from './parameters.ts';
import { ACTIVATION_NAMES, ACTIVATIONS, logitsOf, type Activation } from './scores.ts';
import { isLightText, readTextOrPair } from './text-items.ts';
import { entailmentOf, withZeroShot } from './zero-shot.ts';
import type { JsonObject } from '../../json.ts';

/** A text or a pair in, classes with scores out, best first: `[{"label": "POSITIVE", "score": 0.99}, ...]`. For models with a tokenizer. */

const options = z.strictObject({
  ...encoderOptions,
  /** Default: what config.json says. */
  activation: z.enum(ACTIVATION_NAMES).optional(),
  /** Classes in a reply if the request does not say; 0: all. */
  topK: z.number().int().min(0).default(0),
});

const parameters = z.strictObject({
  ...truncation,
  top_k: topKParameter,
  raw_scores: z.boolean().default(false),
});

const LIGHT_REPLY_BYTES = 4_096;

interface Memo {
  readonly topK: number;
  readonly raw: boolean;
}

/** The text encoder, for scores. Throws a plain Error that names the file at fault. */
export async function chooseSequenceClassificationProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  return encoderProgram(source, 'scores', readOptions(source, options));
}

/** Builds the task of `text-classification` for a model with a tokenizer. Throws a plain Error that says what is wrong with the model or its options. */
export async function createSequenceClassificationTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const { model, labels } = await openLabelledModel(source, own);
  const task: Task = {
    rawTypes: TEXT_TYPES,
    isLight: isLightText,
    checkTensors: model.checkTensors,
    prepare: (item) => prepare(item, model, own.topK),
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs, memo) =>
      rank(outputs, memo as Memo, {
        labels,
        activationOf: (classes) => own.activation ?? usualActivation(model.files.config, classes),
      }),
    calls: model.calls,
  };
  const entailment = entailmentOf(labels);
  return entailment === undefined ? task : withZeroShot(task, model, entailment);
}

/** The activation of transformers' pipeline: sigmoid if several classes may hold or there is only one, none for a regression, else softmax. */
function usualActivation(config: JsonObject, classes: number): Activation {
  if (config['problem_type'] === 'regression') return 'none';
  return config['problem_type'] === 'multi_label_classification' || classes === 1 ? 'sigmoid' : 'softmax';
}

function prepare(item: Item, { encoder, autoTruncate }: EncoderModel, topK: number): Prepared {
  const asked = readParameters(item, parameters);
  const cut = cutOf(asked, autoTruncate);
  const [text, pair] = readTextOrPair(item);
  const encoded = pair === undefined ? encoder.single(text, cut) : encoder.pair(text, pair, cut);
  const memo: Memo = { topK: asked.top_k ?? topK, raw: asked.raw_scores };
  return { ...encoder.work(encoded), memo };
}

interface Ranking {
  readonly labels: readonly string[] | undefined;
  readonly activationOf: (classes: number) => Activation;
}

function rank(outputs: Outputs, { topK, raw }: Memo, { labels, activationOf }: Ranking): Reply {
  const logits = logitsOf(outputs);
  if (labels !== undefined && labels.length !== logits.length)
    throw new Error(`the run gave ${logits.length} scores for ${labels.length} labels`);
  const scores = ACTIVATIONS[raw ? 'none' : activationOf(logits.length)](logits);
  const ranked = Array.from(scores, (score, index) => ({ label: labels?.[index] ?? `LABEL_${index}`, score }));
  ranked.sort((one, other) => other.score - one.score);
  const kept = topK === 0 ? ranked : ranked.slice(0, topK);
  return { json: kept.map(({ label, score }) => ({ label, score: shortFloat32(score) })) };
}
