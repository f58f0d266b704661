import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import type { Item } from '../task.ts';

/** Parameters of a request that text tasks have in common. */
export const truncation = {
  truncate: z.boolean().optional(),
  truncation_direction: z
    .string()
    .transform((text) => text.toLowerCase())
    .pipe(z.enum(['left', 'right']))
    .default('right'),
};

/** Of unknown parameters so many are told. */
const MOST_NAMED = 8;

/** The item's parameters as the schema reads them; null stands for absent. Throws INVALID_INPUT that names the parameter at fault. */
export function readParameters<Schema extends z.ZodType>({ parameters }: Item, schema: Schema): z.output<Schema> {
  const given = Object.entries(parameters ?? {}).filter(([, value]) => value !== null && value !== undefined);
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const names = issue.keys.slice(0, MOST_NAMED);
    throw new ServerError('INVALID_INPUT', `There is no parameter "${names.join('", "')}".`, {
      param: names.join(', '),
    });
  }
  const param = issue?.path.join('.') ?? '';
  throw new ServerError('INVALID_INPUT', `Parameter "${param}": ${issue?.message ?? 'invalid'}.`, { param });
}
