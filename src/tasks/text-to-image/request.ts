import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { readParameters } from '../parameters.ts';
import type { Item } from '../task.ts';
import type { DiffusionOptions, DiffusionParameters } from './pipeline.ts';
import { mostSteps, SCHEDULERS, type SchedulerName } from './scheduler-config.ts';

/** What a model lets its clients choose, with the defaults. */
export interface Choices {
  readonly pipeline: DiffusionOptions;
  readonly scheduler: SchedulerName;
  readonly steps: number;
  readonly maxSteps: number;
  readonly guidance: number;
  readonly negativePrompt: string;
  readonly maxCharacters: number;
  readonly maxPixels: number;
  /** Height and width in pixels where the graph fixes them, else -1. */
  readonly fixedSize: readonly [height: number, width: number];
}

export interface DrawingRequest {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly parameters: DiffusionParameters;
}

const parametersSchema = z.strictObject({
  steps: z.int().min(1).nullish(),
  guidance: z.number().min(0).max(100).nullish(),
  /** A request without a seed gets a new image each time. */
  seed: z.int().min(0).nullish(),
  scheduler: z.enum(SCHEDULERS).nullish(),
  width: z.int().min(1).nullish(),
  height: z.int().min(1).nullish(),
});

const promptSchema = z.union([
  z.string().transform((prompt) => ({ prompt, negative_prompt: undefined })),
  z.strictObject({ prompt: z.string(), negative_prompt: z.string().nullish() }),
]);

/** Text may hold half a character: JSON can ("\\ud800"), and browsers cut emoji in two. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** An item: a prompt, or `{"prompt", "negative_prompt"}`, or a raw UTF-8 body. Throws BAD_REQUEST, TOO_LARGE or INVALID_INPUT. */
export function readDrawingRequest(item: Item, choices: Choices): DrawingRequest {
  const { prompt, negativePrompt } = readPrompts(item, choices);
  return { prompt, negativePrompt, parameters: readChoices(item, choices) };
}

function readPrompts(item: Item, choices: Choices): Pick<DrawingRequest, 'prompt' | 'negativePrompt'> {
  const result = promptSchema.safeParse(item.kind === 'raw' ? decoded(item.bytes) : item.value);
  if (!result.success)
    throw new ServerError(
      'INVALID_INPUT',
      'This model takes a prompt: a string, or an object {"prompt": string, "negative_prompt": string}.',
    );
  const { prompt, negative_prompt: negative } = result.data;
  const negativePrompt = negative ?? choices.negativePrompt;
  for (const text of [prompt, negativePrompt])
    if (text.length > choices.maxCharacters)
      throw new ServerError('TOO_LARGE', `The prompt is longer than ${choices.maxCharacters} characters.`);
  return {
    prompt: prompt.replace(LONE_SURROGATE, '\ufffd'),
    negativePrompt: negativePrompt.replace(LONE_SURROGATE, '\ufffd'),
  };
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ServerError('BAD_REQUEST', 'The prompt is not valid UTF-8.');
  }
}

function readChoices(item: Item, choices: Choices): DiffusionParameters {
  const { steps, guidance, seed, scheduler, width, height } = readParameters(item, parametersSchema);
  const chosen = scheduler ?? choices.scheduler;
  const most = Math.min(choices.maxSteps, mostSteps(choices.pipeline.scheduler, chosen));
  // A default that the chosen scheduler cannot make is not the client's mistake.
  const count = steps ?? Math.min(choices.steps, most);
  if (count > most)
    throw new ServerError('INVALID_INPUT', `steps must be from 1 to ${most} with scheduler ${chosen}.`, {
      param: 'steps',
    });
  const { pipeline, fixedSize } = choices;
  const size = {
    latentHeight: latentSide('height', height ?? undefined, [pipeline.latentHeight, fixedSize[0], pipeline]),
    latentWidth: latentSide('width', width ?? undefined, [pipeline.latentWidth, fixedSize[1], pipeline]),
  };
  if (size.latentHeight * size.latentWidth * pipeline.imageScale ** 2 > choices.maxPixels)
    throw new ServerError('INVALID_INPUT', `This model draws ${choices.maxPixels} pixels at most.`, { param: 'width' });
  return {
    scheduler: chosen,
    steps: count,
    guidance: guidance ?? choices.guidance,
    seed: seed ?? randomInt(2 ** 47),
    ...size,
  };
}

/** Latents along a side for a number of pixels. Throws INVALID_INPUT on what the graph cannot draw. */
function latentSide(
  name: 'width' | 'height',
  pixels: number | undefined,
  [own, fixed, { imageScale, latentStep }]: [own: number, fixed: number, pipeline: DiffusionOptions],
): number {
  if (fixed !== -1) {
    if (pixels !== undefined && pixels !== fixed)
      throw new ServerError('INVALID_INPUT', `${name} must be ${fixed}: this model draws no other.`, { param: name });
    return fixed / imageScale;
  }
  if (pixels === undefined) return own;
  const multiple = imageScale * latentStep;
  if (pixels % multiple !== 0)
    throw new ServerError('INVALID_INPUT', `${name} must be a multiple of ${multiple} pixels.`, { param: name });
  return pixels / imageScale;
}
