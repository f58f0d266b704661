import type { Item, ServeContext, Task, TaskSource, Work } from '../task.ts';
import { wholeBuffers } from '../../tensors/transferables.ts';
import { readOptions } from '../options.ts';
import { servedBy } from '../served.ts';
import { openImageModel, preprocessingOf } from '../image/image-model.ts';
import { IMAGE_TYPES, rawImage } from '../image/input.ts';
import { TokenEncoder } from '../text/encode.ts';
import { TEXT_TYPES } from '../text/text-input.ts';
import { loadTokenizer } from '../text/tokenizer.ts';
import { INPUT } from './contract.ts';
import { imageTextOptions } from './options.ts';
import { readPairConfig } from './program-choice.ts';
import { KnownTexts } from './known-texts.ts';
import { MAX_CHARACTERS, pairServing, type ImageTextWork } from './serving.ts';

/**
 * Images and texts in one space (CLIP, SigLIP): the vector of an image or of a text, `{"embedding": [...]}`, or how well each of some labels describes an image,
 * `[{"label": "a cat", "score": 0.98}, ...]`, best first.
 */

/** Pixels that cost as much as a token: those of a patch of CLIP. */
const PATCH_PIXELS = 32 * 32;

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
  const media = { noun: 'an image', work: imageWork };
  const usual = { template: own.hypothesisTemplate, normalize: own.normalize };
  const known = new KnownTexts();
  const idsOf = (text: string): Int32Array =>
    Int32Array.from(encoder.single(text, { truncate: true, direction: 'right' }).ids);
  return {
    rawTypes: [...IMAGE_TYPES, ...TEXT_TYPES],
    isLight: () => false,
    isLightReply: () => true,
    ...servedBy(source.task),
    ...pairServing({ usual, media, known, config }, rawImage),
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

async function imageWork(item: Item, context: ServeContext): Promise<Work & ImageTextWork> {
  const give = item.kind === 'raw' ? wholeBuffers([item.bytes]) : [];
  const { values, shape } = (await context.call('image', item, { give })) as ImagePart;
  const [, , height = 0, width = 0] = shape;
  return {
    inputs: { [INPUT]: { datatype: 'FP32', shape, data: values } },
    parameters: { kind: 'image' },
    cost: Math.ceil((width * height) / PATCH_PIXELS),
    bucket: `image ${shape.join(' ')}`,
  };
}
