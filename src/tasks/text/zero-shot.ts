import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { MOST_TEMPLATE_CHARACTERS, readParameters } from '../parameters.ts';
import { servedInTwoParts } from '../served.ts';
import type { Item, Reply, ServeContext, Task } from '../task.ts';
import type { Encoded } from './encode.ts';
import type { EncoderModel } from './encoder-model.ts';
import { cutOf, truncation } from './parameters.ts';
import { callWithScores, runTexts } from './run-windows.ts';
import { ACTIVATIONS } from './scores.ts';
import { isLightText, readTextOrPair } from './text-items.ts';

/**
 * Classes that a request names (`candidate_labels`), by a classifier that says whether one text follows from another, as transformers' pipeline for
 * zero-shot classification has it: `[{"label": "sport", "score": 0.97}, ...]`, best first.
 */

/** Most labels of a request; each is a run of the text. */
const MOST_LABELS = 1_000;

const MOST_LIGHT_LABELS = 4;

const parameters = z.strictObject({
  ...truncation,
  candidate_labels: z
    .union([z.string(), z.array(z.string())], 'a text with commas or a list of texts is expected')
    .transform((given) =>
      (typeof given === 'string' ? given.split(',') : given).map((label) => label.trim()).filter(Boolean),
    )
    .refine((labels) => labels.length > 0, 'at least one label is expected')
    .refine((labels) => labels.length <= MOST_LABELS, `at most ${MOST_LABELS} labels are expected`),
  hypothesis_template: z
    .string()
    .max(MOST_TEMPLATE_CHARACTERS)
    .refine((template) => template.includes('{}'), 'a text with {} in the place of the label is expected')
    .default('This example is {}.'),
  multi_label: z.boolean().default(false),
});

interface ReadyLabels {
  /** The text with the hypothesis of each label. */
  readonly pairs: readonly Encoded[];
  readonly labels: readonly string[];
  readonly isMulti: boolean;
}

interface RankCall {
  readonly ready: ReadyLabels;
  readonly scores: readonly Float32Array[];
}

/** Index of the class that says so; undefined if no class does. */
export function entailmentOf(labels: readonly string[] | undefined): number | undefined {
  const found = labels?.findIndex((label) => label.toLowerCase().startsWith('entail')) ?? -1;
  return found === -1 || (labels?.length ?? 0) < 2 ? undefined : found;
}

/** The classifier, which also takes candidate labels. Texts without them go the classifier's own way. */
export function withZeroShot(task: Task, model: EncoderModel, entailment: number): Task {
  const hypotheses = (item: Item): ReadyLabels => readyLabels(item, model);
  return {
    ...task,
    serves: ({ parameters: given }) => given?.['candidate_labels'] !== undefined,
    ...servedInTwoParts({
      ...{ read: hypotheses, call: 'hypotheses', isLight: areLight },
      serve: (ready: ReadyLabels, context) => rankLabels(ready, context, model),
    }),
    calls: {
      ...task.calls,
      hypotheses,
      rankLabels: (call: RankCall): unknown => rank(call, entailment),
    },
  };
}

async function rankLabels(ready: ReadyLabels, context: ServeContext, { encoder }: EncoderModel): Promise<Reply> {
  const scores = await runTexts(ready.pairs, { encoder, context, wanted: {} });
  return { json: await callWithScores(context, 'rankLabels', { ready, scores }) };
}

/** Whether the text and its hypotheses are short enough, together, to be tokenised on the main thread. */
function areLight(item: Item): boolean {
  const { candidate_labels: labels, hypothesis_template: template = '' } = item.parameters ?? {};
  if (!Array.isArray(labels) || labels.length > MOST_LIGHT_LABELS || typeof template !== 'string') return false;
  return isLightText(item) && isLightText({ kind: 'json', value: [...(labels as unknown[]), template] });
}

function readyLabels(item: Item, { encoder, autoTruncate }: EncoderModel): ReadyLabels {
  const {
    candidate_labels: labels,
    hypothesis_template: template,
    multi_label: isMulti,
    ...asked
  } = readParameters(item, parameters);
  const [text, second] = readTextOrPair(item);
  if (second !== undefined) throw new ServerError('INVALID_INPUT', 'With candidate_labels, this model takes one text.');
  const cut = cutOf(asked, autoTruncate);
  const pairWith = encoder.pairsOf(text, cut);
  return {
    pairs: labels.map((label) => pairWith(template.replace('{}', () => label))),
    labels,
    isMulti,
  };
}

/** With several labels that may hold, or only one, each stands against the contradiction; else all stand against each other. */
function rank({ ready: { labels, isMulti }, scores }: RankCall, entailment: number): unknown {
  const entails = Float32Array.from(scores, (logits) => logits[entailment] ?? NaN);
  const alone = (logits: Float32Array): number => {
    const against = entailment === 0 ? logits.length - 1 : 0;
    return ACTIVATIONS.softmax(Float32Array.of(logits[against] ?? NaN, logits[entailment] ?? NaN))[1] ?? NaN;
  };
  const chances = isMulti || labels.length === 1 ? Float32Array.from(scores, alone) : ACTIVATIONS.softmax(entails);
  return labels
    .map((label, index) => ({ label, score: shortFloat32(chances[index] ?? NaN) }))
    .sort((one, other) => other.score - one.score);
}
