import { ServerError } from '../../errors.ts';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { fromTypedArray } from '../../tensors/tensor.ts';
import type { Item, Outputs, Reply, ServeContext, Task, TaskSource, Work } from '../task.ts';
import { readOptions } from '../options.ts';
import { floatsOf, openImageModel, preprocessingOf } from '../image/image-model.ts';
import { IMAGE_TYPES } from '../image/input.ts';
import { normalized } from '../image/vectors.ts';
import { TokenEncoder } from '../text/encode.ts';
import { bucketLength } from '../text/length-buckets.ts';
import { ACTIVATIONS } from '../text/scores.ts';
import { TEXT_TYPES } from '../text/text-input.ts';
import { readTextInput } from '../text/text-items.ts';
import { loadTokenizer } from '../text/tokenizer.ts';
import { encodeVector } from '../text/vector-reply.ts';
import { INPUT, LOGIT, VECTOR, type ImageTextTicket } from './contract.ts';
import { imageTextOptions } from './options.ts';
import { readPairConfig } from './program-choice.ts';
import { readAsked, type Asked } from './request.ts';
import { KnownTexts } from './known-texts.ts';

/**
 * Images and texts in one space (CLIP, SigLIP): the vector of an image or of a text, `{"embedding": [...]}`, or how well each of some labels describes an image,
 * `[{"label": "a cat", "score": 0.98}, ...]`, best first.
 */

/** Pixels that cost as much as a token: those of a patch of CLIP. */
const PATCH_PIXELS = 32 * 32;
/** Texts of the call `ids` are taken whole up to this length, in UTF-16 units. */
const MAX_CHARACTERS = 10_000;

/** An image or texts as they come from the CPU pool. */
interface ImagePart {
  readonly values: Uint8Array;
  readonly shape: readonly number[];
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its options. */
export async function createImageTextTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, imageTextOptions);
  const config = await readPairConfig(source);
  const { maxLength } = config;
  const input = { name: INPUT, datatype: 'FP32' as const, shape: [-1, -1, -1, -1], batchAxis: 0 };
  const images = openImageModel(
    { signature: { ...source.signature, inputs: [input] }, task: source.task },
    await preprocessingOf(source, own.preprocessing),
    own,
  );
  const encoder = new TokenEncoder(await loadTokenizer(source.files), {
    maxLength,
    maxCharacters: MAX_CHARACTERS,
    fixedLength: undefined,
  });
  const usual = { template: own.hypothesisTemplate, normalize: own.normalize };
  const known = new KnownTexts();
  const idsOf = (text: string): Int32Array =>
    Int32Array.from(encoder.single(text, { truncate: true, direction: 'right' }).ids);
  return {
    rawTypes: [...IMAGE_TYPES, ...TEXT_TYPES],
    isLight: () => false,
    isLightReply: () => true,
    prepare: () => Promise.reject(new Error('items of this task are served')),
    finish: () => Promise.reject(new Error('items of this task are served')),
    serve: (item, context) => serve(readAsked(item, usual), { item, context, known, config }),
    calls: {
      image: async (item: Item): Promise<ImagePart> => {
        const { [INPUT]: tensor } = (await images.read({ ...item, parameters: {} })).inputs;
        if (tensor === undefined) throw new Error('there is no image');
        return { values: tensor.data, shape: tensor.shape };
      },
      ids: (texts: readonly string[]): Int32Array[] => texts.map(idsOf),
    },
  };
}

interface Serving {
  readonly item: Item;
  readonly context: ServeContext;
  readonly known: KnownTexts;
  readonly config: { readonly isSigmoid: boolean; readonly maxLength: number };
}

async function serve(asked: Asked, serving: Serving): Promise<Reply> {
  const { item, context } = serving;
  if (asked.labels !== undefined) return { json: await classify(asked.labels, serving) };
  if (asked.isImage) return { json: { embedding: vectorText(await context.run(await imageWork(serving)), asked) } };
  const text = readTextInput(item);
  if (typeof text !== 'string')
    throw new ServerError('INVALID_INPUT', 'This model takes an image or a text, not token ids.');
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
  const preparing = missing.length === 0 ? [] : context.call('ids', missing);
  const works = [await imageWork(serving), ...((await preparing) as Int32Array[]).map((one) => textWork(one, config))];
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

async function imageWork({ item, context }: Serving): Promise<Work & ImageTextWork> {
  const { values, shape } = (await context.call('image', item)) as ImagePart;
  const [, , height = 0, width = 0] = shape;
  return {
    inputs: { [INPUT]: { datatype: 'FP32', shape, data: values } },
    parameters: { kind: 'image' },
    cost: Math.ceil((width * height) / PATCH_PIXELS),
    bucket: `image ${shape.join(' ')}`,
  };
}

interface ImageTextWork {
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
