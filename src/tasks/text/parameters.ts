import { z } from 'zod';
import type { Truncation } from './encode.ts';

/** Parameters of a request that all text encoders have. */
export const truncation = {
  truncate: z.boolean().optional(),
  truncation_direction: z
    .string()
    .transform((text) => text.toLowerCase())
    .pipe(z.enum(['left', 'right']))
    .default('right'),
  /** Most tokens of the text (of a pair: of the second one), special tokens not counted. */
  max_tokens: z.number().int().min(1).optional(),
};

/** How a text is to be cut, from the parameters above and the model's own way. */
export function cutOf(
  asked: {
    readonly truncate?: boolean | undefined;
    readonly truncation_direction: 'left' | 'right';
    readonly max_tokens?: number | undefined;
  },
  autoTruncate: boolean,
): Truncation {
  return {
    truncate: asked.truncate ?? autoTruncate,
    direction: asked.truncation_direction,
    mostTokens: asked.max_tokens,
  };
}
