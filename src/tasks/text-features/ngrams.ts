import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { float32 } from '../../tensors/tensor.ts';
import type { TaskSource } from '../task.ts';
import type { TextFeatures } from './features.ts';

/**
 * Shares of chosen character n-grams, as the language model of the npm package `lande` was trained: the text in lower case, reduced to letters,
 * marks and single spaces, with one space before and after; feature = occurrences / n-grams of that length in the text. Characters are UTF-16
 * units, as in the training code (JavaScript strings), so a letter outside the basic plane counts as two.
 */

const listsSchema = z.strictObject({
  unigrams: z.array(z.string()),
  bigrams: z.array(z.string()),
  trigrams: z.array(z.string()),
  quadgrams: z.array(z.string()),
});

/** The n-grams of one length, and the index of each one's feature; their features follow one another. */
interface Lengths {
  readonly length: number;
  /** Index of the first feature, and of the one after the last. */
  readonly first: number;
  readonly end: number;
  readonly places: ReadonlyMap<string, number>;
}

/** A character takes about 4 look-ups in a map. */
const LIGHT_LENGTH = 1_000;

/** Reads the lists of `files.ngrams` (JSON: unigrams, bigrams, trigrams, quadgrams), whose order is the order of the features. Throws a plain Error that says what is wrong. */
export async function createNgramFeatures({ files, signature }: TaskSource): Promise<TextFeatures> {
  const path = files['ngrams'];
  if (path === undefined) throw new Error('features "ngrams" needs a file: files.ngrams');
  const { unigrams, bigrams, trigrams, quadgrams } = listsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  const count = unigrams.length + bigrams.length + trigrams.length + quadgrams.length;
  const [input, ...others] = signature.inputs;
  if (input?.datatype !== 'FP32' || input.shape.length !== 2 || others.length > 0)
    throw new Error('features "ngrams" needs a model with one float32 input of shape [batch, features]');
  const width = input.shape[1];
  if (width !== -1 && width !== count)
    throw new Error(`files.ngrams lists ${count} n-grams where the model takes ${width}`);
  let offset = 0;
  const lengths = [unigrams, bigrams, trigrams, quadgrams].map((list, index): Lengths => {
    const first = offset;
    const places = new Map(list.map((ngram, at) => [ngram, first + at]));
    offset += list.length;
    return { length: index + 1, first, end: offset, places };
  });
  return {
    lightLength: LIGHT_LENGTH,
    inputs: (text) => ({ [input.name]: float32([1, count], shares(normalise(text), lengths, count)) }),
  };
}

/** The text as n-grams are taken from it. Throws INVALID_INPUT for a text without letters. */
function normalise(text: string): string {
  const letters = text
    .replaceAll('-', ' ')
    .replace(/[^\p{L}\p{M}\s]+/gu, '')
    .replace(/\s+/gu, ' ')
    .toLowerCase()
    .trim();
  if (!/\p{L}/u.test(letters)) throw new ServerError('INVALID_INPUT', 'The text has no letters.');
  return ` ${letters} `;
}

function shares(text: string, lengths: readonly Lengths[], count: number): Float32Array {
  const features = new Float32Array(count);
  for (const { length, first, end, places } of lengths) {
    const total = text.length - length + 1;
    for (let at = 0; at < total; at += 1) {
      const place = places.get(text.slice(at, at + length));
      if (place !== undefined) features[place] = (features[place] ?? 0) + 1;
    }
    if (total <= 0) continue;
    // By index: to iterate over the map takes as long as counting.
    for (let place = first; place < end; place += 1) features[place] = (features[place] ?? 0) / total;
  }
  return features;
}
