import { createNgramFeatures } from './ngrams.ts';
import type { TaskSource } from '../task.ts';
import type { CreateTextFeatures, TextFeatures } from './features.ts';

/** The values of `options.features`. */
const FEATURES = {
  ngrams: createNgramFeatures,
  text: (source) => Promise.resolve(createPlainText(source)),
} as const satisfies Record<string, CreateTextFeatures>;

export const FEATURE_NAMES = Object.keys(FEATURES) as (keyof typeof FEATURES)[];

/** Builds the features of a name. Throws a plain Error that says what the model lacks for them. */
export function createTextFeatures(name: keyof typeof FEATURES, source: TaskSource): Promise<TextFeatures> {
  return FEATURES[name](source);
}

/** The text itself, for graphs that take texts (scikit-learn's pipelines, say). */
function createPlainText(source: TaskSource): TextFeatures {
  const [input, ...others] = source.signature.inputs;
  if (input?.datatype !== 'BYTES' || others.length > 0)
    throw new Error('features "text" needs a model with one input, of texts');
  const shape = input.shape.map(() => 1);
  return {
    lightLength: Infinity,
    inputs: (text) => ({ [input.name]: { datatype: 'BYTES', shape, data: [text] } }),
  };
}
