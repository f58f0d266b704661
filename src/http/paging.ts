import type { Request } from 'express';
import { z } from 'zod';
import { ServerError } from '../errors.ts';

/** The query of a list. Throws BAD_REQUEST. */
export function readQuery<Schema extends z.ZodType>(schema: Schema, { query }: Request): z.infer<Schema> {
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => [...path.map(String), message].join(': '));
  throw new ServerError('BAD_REQUEST', problems.join('; '));
}

/** The schema of a page. */
export function pageSchema(entry: z.ZodType, id: string) {
  const name = z.string().nullable();
  return z
    .object({ object: z.literal('list'), data: z.array(entry), first_id: name, last_id: name, has_more: z.boolean() })
    .meta({ id });
}

/** A page as OpenAI's clients read it. `found` holds one more than the limit if there are more; `after` is where to look for more if it may hold too few. */
export function pageOf(found: readonly { readonly id: string }[], limit: number, after?: string): unknown {
  const data = found.slice(0, limit);
  const hasRest = found.length > limit;
  const [first, last] = [data[0]?.id ?? null, (hasRest ? undefined : after) ?? data.at(-1)?.id ?? null];
  return { object: 'list', data, first_id: first, last_id: last, has_more: hasRest || after !== undefined };
}

/** The part of the path that names one thing. */
export function idOf({ params }: Request): string {
  return typeof params['id'] === 'string' ? params['id'] : '';
}

/** Unix time, as OpenAI's objects have it. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
