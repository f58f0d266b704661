import { z } from 'zod';
import { isWithin, rangeText, type Range } from '../ranges.ts';
import type { TaskSource } from './task.ts';

/** A schema of numbers within a range of `ranges.ts`. */
export function within(range: Range): z.ZodNumber {
  return z.number().refine((value) => isWithin(value, range), `${rangeText(range)} is expected`);
}

/** The `options` of model.json as the task's schema reads them. Throws a plain Error that lists everything that is wrong. */
export function readOptions<Schema extends z.ZodType>(
  source: Pick<TaskSource, 'options'>,
  schema: Schema,
): z.output<Schema> {
  const result = schema.safeParse(source.options);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${['options', ...path].join('.')}: ${message}`);
  throw new Error(problems.join('; '));
}
