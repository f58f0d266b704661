import { z } from 'zod';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { readOptions } from '../options.ts';
import type { Item, Outputs, Prepared, ProgramSpec, Reply, Task, TaskSource } from '../task.ts';
import { encoderOptions, encoderProgram, openEncoderModel, type EncoderModel } from './encoder-model.ts';
import { readParameters, topKParameter } from '../parameters.ts';
import { cutOf, truncation } from './parameters.ts';
import { ACTIVATIONS, logitsOf } from './scores.ts';
import { isLightText, readQueryAndText, readTextOrPair } from './text-items.ts';
import { isObject, type JsonObject } from '../../json.ts';

/** How well a text answers a query: `{"score": 0.97, "tokens": n}`. For cross-encoders, whose graph gives one logit. */

const options = z.strictObject({
  ...encoderOptions,
  /** Default: what config.json says. */
  activation: z.enum(['sigmoid', 'none']).optional(),
});
/** `raw_scores` true gives the graph's own score, false its sigmoid, as in TEI; without it the score is that of the model's own library. */
const parameters = z.strictObject({
  ...truncation,
  raw_scores: z.boolean().optional(),
  /** Asks for the reply of a classifier, with the one class, and takes its items, too: a text, and a pair in an array. TEI's `/predict` does. */
  top_k: topKParameter,
});

interface Memo {
  readonly tokens: number;
  readonly activation: 'sigmoid' | 'none';
  readonly isClass: boolean;
}

/** The text encoder, for scores. Throws a plain Error that names the file at fault. */
export async function chooseRerankingProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  return encoderProgram(source, 'scores', readOptions(source, options));
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its options. */
export async function createRerankingTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const model = await openEncoderModel(source, own, ({ files, size }) => {
    if (size !== undefined && size !== 1) throw new Error(`reranking needs a graph of one score, not of ${size}`);
    return { id2label: { 0: labelOf(files.config) } };
  });
  const usual = own.activation ?? scoreActivation(model.files.config);
  const label = labelOf(model.files.config);
  return {
    rawTypes: [],
    isLight: isLightText,
    checkTensors: model.checkTensors,
    prepare: (item) => prepare(item, model, usual),
    isLightReply: () => true,
    finish: (outputs, memo) => finish(outputs, memo as Memo, label),
    calls: model.calls,
  };
}

/** The name of the only class. */
function labelOf({ id2label }: JsonObject): string {
  const label = isObject(id2label) ? id2label['0'] : undefined;
  return typeof label === 'string' ? label : 'LABEL_0';
}

/** Activations by their class, as sentence-transformers writes it into config.json. */
const ACTIVATION_CLASSES: Readonly<Record<string, Memo['activation']>> = { Sigmoid: 'sigmoid', Identity: 'none' };

/**
 * The activation that CrossEncoder of sentence-transformers applies to a single logit: the one that config.json names, else none for a regression head
 * and the sigmoid for others. Throws a plain Error for an unknown activation.
 */
function scoreActivation(config: JsonObject): Memo['activation'] {
  const { sentence_transformers: own, sbert_ce_default_activation_function: older, problem_type: problem } = config;
  const name = (isObject(own) ? own['activation_fn'] : undefined) ?? older;
  if (typeof name !== 'string') return problem === 'regression' ? 'none' : 'sigmoid';
  const activation = ACTIVATION_CLASSES[name.split('.').at(-1) ?? ''];
  if (activation === undefined)
    throw new Error(`config.json: the activation ${name} is not known; set options.activation to sigmoid or none`);
  return activation;
}

function prepare(item: Item, { encoder, autoTruncate }: EncoderModel, usual: Memo['activation']): Prepared {
  const asked = readParameters(item, parameters);
  const isClass = asked.top_k !== undefined;
  const [query, text] =
    isClass && !(item.kind === 'json' && isObject(item.value)) ? readTextOrPair(item) : readQueryAndText(item);
  const cut = cutOf(asked, autoTruncate);
  const encoded = text === undefined ? encoder.single(query, cut) : encoder.pair(query, text, cut);
  const { raw_scores: raw } = asked;
  const memo: Memo = {
    tokens: encoded.ids.length,
    activation: raw === undefined ? usual : raw ? 'none' : 'sigmoid',
    isClass,
  };
  return { ...encoder.work(encoded), memo };
}

function finish(outputs: Outputs, { tokens, activation, isClass }: Memo, label: string): Reply {
  const logits = logitsOf(outputs);
  const [score] = ACTIVATIONS[activation](logits);
  if (score === undefined || logits.length !== 1)
    throw new Error(`the run gave ${logits.length} scores instead of one`);
  return { json: isClass ? [{ label, score: shortFloat32(score) }] : { score: shortFloat32(score), tokens } };
}
