import { z } from 'zod';
import { imageOptions } from '../image/image-model.ts';

/** Options of model.json. */
export const imageTextOptions = z.strictObject({
  ...imageOptions,
  /** A logit is scale * cosine + bias: where the graph does not give it. */
  logitScale: z.number().positive().optional(),
  logitBias: z.number().optional(),
  /** Whether vectors are scaled to length 1 if the request does not say. */
  normalize: z.boolean().default(true),
  /** The text that is made of a label, at `{}`, if the request does not say. */
  hypothesisTemplate: z.string().default('This is a photo of {}.'),
});

/** Most labels of a request: each is a text that is run. */
export const MOST_LABELS = 500;
