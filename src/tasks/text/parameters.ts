import { z } from 'zod';

/** Parameters of a request that all text encoders have. */
export const truncation = {
  truncate: z.boolean().optional(),
  truncation_direction: z
    .string()
    .transform((text) => text.toLowerCase())
    .pipe(z.enum(['left', 'right']))
    .default('right'),
};
