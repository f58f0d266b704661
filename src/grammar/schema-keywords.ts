import { GrammarError } from './grammar-error.ts';

/** Which keywords of JSON Schema can be held to, and which say nothing of the value. */

export type Schema = Readonly<Record<string, unknown>>;

export const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;
export type Type = (typeof TYPES)[number];

/** Keywords that are held to, with the type whose values they speak of. */
const KEYWORDS: Readonly<Record<string, Type | undefined>> = {
  type: undefined,
  enum: undefined,
  const: undefined,
  $ref: undefined,
  anyOf: undefined,
  oneOf: undefined,
  allOf: undefined,
  nullable: undefined,
  properties: 'object',
  required: 'object',
  additionalProperties: 'object',
  items: 'array',
  prefixItems: 'array',
  minItems: 'array',
  maxItems: 'array',
  uniqueItems: 'array',
  minLength: 'string',
  maxLength: 'string',
  pattern: 'string',
  format: undefined,
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
};

const NOTES = new Set<string>([
  ...(['$schema', '$id', '$comment', '$defs', 'definitions', 'title', 'description', 'default', 'examples'] as const),
  ...(['example', 'deprecated', 'readOnly', 'writeOnly', 'discriminator', 'contentMediaType'] as const),
]);

/** The schema without what says nothing of the value. Throws GrammarError that names a keyword that cannot be held to. */
export function keywordsOf(schema: Schema, where: string): Schema {
  const kept = Object.entries(schema).filter(([name, value]) => !isNote(name) && value !== undefined);
  for (const [name, value] of kept) {
    if (!Object.hasOwn(KEYWORDS, name))
      throw new GrammarError(`the keyword "${name.slice(0, 64)}" is not supported (${where})`);
    if (name === 'uniqueItems' && value !== false)
      throw new GrammarError(`the keyword "uniqueItems" is not supported (${where})`);
  }
  return Object.fromEntries(kept.filter(([name]) => name !== 'uniqueItems'));
}

function isNote(name: string): boolean {
  return NOTES.has(name) || name.startsWith('x-');
}

/** The types of the values that a schema speaks of; undefined: it speaks of values of any type. */
export function typesOf(schema: Schema, where: string): readonly Type[] | undefined {
  const { type, nullable } = schema;
  const others = nullable === true ? (['null'] as const) : [];
  if (type !== undefined) {
    const given = [type].flat() as unknown[];
    const wrong = given.find((one) => !TYPES.some((known) => known === one));
    if (wrong !== undefined || given.length === 0)
      throw new GrammarError(`type must be one or more of ${TYPES.join(', ')} (${where})`);
    return [...new Set([...(given as Type[]), ...others])];
  }
  const spoken = new Set(Object.keys(schema).flatMap((name) => KEYWORDS[name] ?? (name === 'format' ? 'string' : [])));
  return spoken.size === 0 ? undefined : [...spoken, ...others];
}

/** A count among a schema's keywords. Throws GrammarError where it is none. */
export function countOf(schema: Schema, name: string, where: string): number | undefined {
  const value = schema[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new GrammarError(`${name} must be a whole number, at least 0 (${where})`);
}

/** A number among a schema's keywords. Throws GrammarError where it is none. */
export function numberOf(schema: Schema, name: string, where: string): number | undefined {
  const value = schema[name];
  if (value === undefined || typeof value === 'number') return value;
  throw new GrammarError(`${name} must be a number (${where})`);
}

/** Throws GrammarError if a schema has other keywords than these. */
export function allowOnly(schema: Schema, allowed: readonly string[], where: string): void {
  const other = Object.keys(schema).find((name) => !allowed.includes(name));
  if (other !== undefined)
    throw new GrammarError(`the keyword "${other}" beside ${allowed.join(' and ')} is not supported (${where})`);
}
