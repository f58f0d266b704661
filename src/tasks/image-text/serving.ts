import { ServerError } from '../../errors.ts';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { fromTypedArray } from '../../tensors/tensor.ts';
import { floatsOf } from '../image/image-model.ts';
import { normalized } from '../image/vectors.ts';
import type { Item, Outputs, Reply, ServeContext, Task, Work } from '../task.ts';
import { bucketLength } from '../text/length-buckets.ts';
import { ACTIVATIONS } from '../text/scores.ts';
import { textLength } from '../text/text-input.ts';
import { readTextInput } from '../text/text-items.ts';
import { encodeVector } from '../text/vector-reply.ts';
import { INPUT, LOGIT, VECTOR, type ImageTextTicket } from './contract.ts';
import type { KnownTexts } from './known-texts.ts';
import { readAsked, type Asked } from './request.ts';

/** Texts of the call `ids` are taken whole up to this length, in UTF-16 units. */
export const MAX_CHARACTERS = 10_000;

/** How an item of a model of pairs is served: the task of images and that of sounds have it in common. */

/** What is paired with texts: images, or sounds. */
export interface Media {
  /** For messages: "an image". */
  readonly noun: string;
  /** The work of an item's image or sound. Rejects as its decoding does. */
  readonly work: (item: Item, context: ServeContext) => Promise<Work & ImageTextWork>;
}

/** What serving needs to know of a model. */
export interface PairModel {
  /** What requests leave out. */
  readonly usual: Parameters<typeof readAsked>[1];
  readonly media: Media;
  readonly known: KnownTexts;
  readonly config: { readonly isSigmoid: boolean; readonly maxLength: number };
}

interface Serving extends PairModel {
  readonly item: Item;
  readonly context: ServeContext;
}

/** How such a task serves its items; it has the call `ids` of texts. `raw` gives the image or sound of an item as bytes. */
export function pairServing(model: PairModel, raw: (item: Item) => Item): Required<Pick<Task, 'serve' | 'reading'>> {
  const serve = (item: Item, context: ServeContext): Promise<Reply> =>
    servePair(readAsked(item, model.usual), { ...model, item, context });
  return {
    serve,
    reading: {
      read(item) {
        if (readAsked(item, model.usual).isImage) return raw(item);
        checkText(item);
        return item;
      },
      serve,
    },
  };
}

/** Throws TOO_LARGE before the bytes become a text: a UTF-16 unit takes at most 3 of them. */
function checkText(item: Item): void {
  if (textLength(item) > 3 * MAX_CHARACTERS)
    throw new ServerError('TOO_LARGE', `The text is longer than ${MAX_CHARACTERS} characters.`);
}

/** The vector of an image, a sound or a text, or how well labels describe an image or a sound. */
async function servePair(asked: Asked, serving: Serving): Promise<Reply> {
  const { item, context } = serving;
  if (asked.labels !== undefined) return { json: await classify(asked.labels, serving) };
  if (asked.isImage)
    return { json: { embedding: vectorText(await context.run(await serving.media.work(item, context)), asked) } };
  checkText(item);
  const text = readTextInput(item);
  if (typeof text !== 'string')
    throw new ServerError('INVALID_INPUT', `This model takes ${serving.media.noun} or a text, not token ids.`);
  const [ids = new Int32Array(0)] = (await context.call('ids', [text])) as Int32Array[];
  const outputs = await context.run(textWork(ids, serving.config));
  return { json: { embedding: vectorText(outputs, asked), tokens: ids.length } };
}

function vectorText(outputs: Outputs, { normalize, encoding }: Asked): number[] | string {
  const { values } = floatsOf(outputs, VECTOR);
  return encodeVector(normalize ? normalized(values) : values, encoding);
}

/** A score for each label, best first; the vectors of texts that were asked for before are known. */
async function classify(
  labels: NonNullable<Asked['labels']>,
  serving: Serving,
): Promise<{ readonly label: string; readonly score: number }[]> {
  const { context, known, config } = serving;
  const missing = labels.map(({ text }) => text).filter((text) => known.get(text) === undefined);
  // Together: a rejection that nobody awaits yet would end the process.
  const [media, ids] = await Promise.all([
    serving.media.work(serving.item, context),
    missing.length === 0 ? [] : (context.call('ids', missing) as Promise<Int32Array[]>),
  ]);
  const works = [media, ...ids.map((one) => textWork(one, config))];
  const [first, ...others] = await context.runEach(works.length, (index, run) => run(workAt(works, index)));
  if (first === undefined) throw new Error('the image was not run');
  const vectors = new Map(
    missing.map((text, index) => [text, normalized(floatsOf(others[index] ?? {}, VECTOR).values)]),
  );
  for (const [text, vector] of vectors) known.set(text, vector);
  const [scale = NaN, bias = NaN] = floatsOf(first, LOGIT).values;
  if (Number.isNaN(scale + bias)) throw new ServerError('INVALID_INPUT', NO_LOGITS);
  const own = normalized(floatsOf(first, VECTOR).values);
  const logits = Float32Array.from(labels, ({ text }) => {
    const vector = vectors.get(text) ?? known.get(text) ?? new Float32Array(0);
    return scale * vector.reduce((sum, value, at) => sum + value * (own[at] ?? 0), 0) + bias;
  });
  const scores = ACTIVATIONS[config.isSigmoid ? 'sigmoid' : 'softmax'](logits);
  return labels
    .map(({ label }, index) => ({ label, score: shortFloat32(scores[index] ?? 0) }))
    .sort((one, other) => other.score - one.score);
}

function workAt(works: readonly Work[], index: number): Work {
  const work = works[index];
  if (work === undefined) throw new Error('there is no such work');
  return work;
}

const NO_LOGITS =
  'This model cannot classify: its scale and bias are neither in a model.onnx of texts and images together nor in model.json (options.logitScale, options.logitBias).';

export interface ImageTextWork {
  readonly parameters: ImageTextTicket;
}

function textWork(ids: Int32Array, { isSigmoid, maxLength }: Serving['config']): Work & ImageTextWork {
  const length = isSigmoid ? maxLength : bucketLength(ids.length, maxLength);
  return {
    inputs: { [INPUT]: fromTypedArray('INT64', [1, ids.length], BigInt64Array.from(ids, BigInt)) },
    parameters: { kind: 'text' },
    cost: length,
    bucket: `text ${length}`,
  };
}
