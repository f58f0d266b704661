import { z } from 'zod';
import { ServerError } from '../errors.ts';
import { nearName } from '../near-name.ts';
import type { Item } from './task.ts';

/** The `parameters` of a request, as a task's schema reads them. */

/** A message names at most this many unknown parameters. */
const MOST_NAMED = 8;

const WHOLE = 'a whole number is expected; 0 asks for all classes';

/** Longest `hypothesis_template`: it is written once for each label. */
export const MOST_TEMPLATE_CHARACTERS = 1000;

/** How many classes a reply has; 0: all. */
export const topKParameter = z.number(WHOLE).int(WHOLE).min(0, WHOLE).optional();

/** The item's parameters as the schema reads them; null means absent. Throws INVALID_INPUT that names the parameter at fault. */
export function readParameters<Schema extends z.ZodObject>({ parameters }: Item, schema: Schema): z.output<Schema> {
  const given = Object.entries(parameters ?? {}).filter(([, value]) => value !== null && value !== undefined);
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') throw unknownParameters(issue.keys, Object.keys(schema.shape));
  const param = issue?.path.join('.') ?? '';
  throw new ServerError('INVALID_INPUT', `Parameter "${param}": ${issue?.message ?? 'invalid'}.`, { param });
}

/** For tasks without parameters: throws INVALID_INPUT if a request has one. */
export function refuseParameters({ parameters }: Item): void {
  if (parameters === undefined) return;
  const given = Object.keys(parameters).filter((name) => parameters[name] !== null && parameters[name] !== undefined);
  if (given.length > 0) throw unknownParameters(given, []);
}

function unknownParameters(names: readonly string[], known: readonly string[]): ServerError {
  const told = names.slice(0, MOST_NAMED).map((name) => name.slice(0, 40));
  const others = known.length === 0 ? 'this model has none' : `there are ${known.join(', ')}`;
  const [near] = told.flatMap((name) => nearName(name, known) ?? []);
  const guess = near === undefined ? '' : ` Did you mean "${near}"?`;
  return new ServerError('INVALID_INPUT', `There is no parameter "${told.join('", "')}"; ${others}.${guess}`, {
    param: told.join(', '),
  });
}
