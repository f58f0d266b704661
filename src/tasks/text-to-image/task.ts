import { z } from 'zod';
import { fromTypedArray } from '../../tensors/tensor.ts';
import { tensorImage, type Range } from '../image/image-tensor.ts';
import { readOptions } from '../options.ts';
import type { Prepared, Task, TaskSource } from '../task.ts';
import { loadTokenizer, type TextTokenizer } from '../text/tokenizer.ts';
import { TEXT_TYPES } from '../text/text-input.ts';
import { IMAGE, NEGATIVE_PROMPT, PROMPT, readPipeline } from './pipeline.ts';
import { readDrawingRequest, type Choices, type DrawingRequest } from './request.ts';
import { SCHEDULERS } from './scheduler-config.ts';

/**
 * Takes a prompt and gives a PNG, by latent diffusion on the lanes (program `diffusion`). An item's cost is the unet's rows per step (1, or 2
 * with guidance) times the image's size relative to the model's own.
 */

const options = z.strictObject({
  /** Default: the class of scheduler_config.json. */
  scheduler: z.enum(SCHEDULERS).optional(),
  steps: z.int().min(1).default(20),
  maxSteps: z.int().min(1).default(100),
  guidance: z.number().min(0).max(100).default(7.5),
  negativePrompt: z.string().default(''),
  maxCharacters: z.int().min(1).default(10_000),
  /** Most pixels of an image; default: twice the model's own size. */
  maxPixels: z.int().min(1).optional(),
});

/** Values of the decoder are -1 for black to 1 for white. */
const IMAGE_RANGE: Range = { scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** Longer prompts take a noticeable part of a millisecond to tokenise. */
const LIGHT_CHARACTERS = 500;

/** Builds the task. Throws a plain Error on a folder that is not a diffusion pipeline, or on options that do not fit it. */
export async function createTextToImageTask(source: TaskSource): Promise<Task> {
  const { scheduler, maxPixels, ...read } = readOptions(source, options);
  const pipeline = await readPipeline(source);
  const ids = promptIds(await loadTokenizer(source.files), pipeline.promptTokens);
  const [, , fixedHeight = -1, fixedWidth = -1] = source.signature.outputs[0]?.shape ?? [];
  const ownPixels = pipeline.latentHeight * pipeline.latentWidth * pipeline.imageScale ** 2;
  const choices: Choices = {
    ...read,
    pipeline,
    scheduler: scheduler ?? pipeline.scheduler.scheduler,
    maxPixels: maxPixels ?? 2 * ownPixels,
    fixedSize: [fixedHeight, fixedWidth],
  };
  const prepare = ({ prompt, negativePrompt, parameters }: DrawingRequest): Prepared => {
    const tensor = (text: string) => fromTypedArray('INT32', [1, pipeline.promptTokens], ids(text));
    const size = (parameters.latentHeight * parameters.latentWidth) / (pipeline.latentHeight * pipeline.latentWidth);
    return {
      inputs: { [PROMPT]: tensor(prompt), [NEGATIVE_PROMPT]: tensor(negativePrompt) },
      parameters,
      cost: (parameters.guidance > 1 ? 2 : 1) * size,
      bucket: '',
    };
  };
  return {
    rawTypes: TEXT_TYPES,
    isLight: (item) => (item.kind === 'raw' ? item.bytes.byteLength : characters(item.value)) <= LIGHT_CHARACTERS,
    prepare: (item) => prepare(readDrawingRequest(item, choices)),
    isLightReply: () => false,
    finish: async (outputs) => {
      const image = tensorImage(outputs[IMAGE], 'nchw', IMAGE_RANGE);
      const { encodeImage } = await import('../image/codec.ts');
      return { contentType: 'image/png', bytes: await encodeImage(image, 'png') };
    },
  };
}

/** Characters of an item's texts, as far as they are texts. */
function characters(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  for (const part of Object.values(value)) if (typeof part === 'string') count += part.length;
  return count;
}

/**
 * Token ids [1, tokens] of a text in the form that these encoders were trained on: cut so that the end token stays, and filled up with
 * the padding token. Throws a plain Error when the tokenizer does not say what to pad with.
 */
function promptIds(tokenizer: TextTokenizer, tokens: number): (text: string) => Int32Array {
  const pad = paddingId(tokenizer);
  const room = tokens - tokenizer.frame([]).ids.length;
  return (text) => {
    const ids = tokenizer.encode(text, { addSpecialTokens: false }).slice(0, room);
    const padded = new Int32Array(tokens).fill(pad);
    padded.set(tokenizer.frame(ids).ids);
    return padded;
  };
}

function paddingId(tokenizer: TextTokenizer): number {
  for (const name of ['pad_token', 'eos_token'] as const) {
    const token = tokenizer.specialToken(name);
    const id = token === undefined ? undefined : tokenizer.tokenToId(token);
    if (id !== undefined) return id;
  }
  throw new Error('tokenizer_config.json names no pad_token that tokenizer.json knows');
}
