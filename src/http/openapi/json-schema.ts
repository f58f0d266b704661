import { z } from 'zod';
import { ELEMENTS } from '../../dialects/shared/body-schema.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** JSON Schema (2020-12) of what a schema takes. What only code checks is left out, unless the schema's `meta` says it in these terms. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const whole: Record<string, unknown> = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const element = ELEMENTS.get(zodSchema);
      if (element !== undefined) Object.assign(jsonSchema, { type: 'array', items: jsonSchemaOf(element) });
    },
  });
  delete whole['$schema'];
  return whole;
}

/** JSON Schema of values that look like this one. */
export function schemaLike(value: unknown): JsonSchema {
  if (typeof value === 'string') return { type: 'string' };
  if (typeof value === 'number') return { type: 'number' };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const properties = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, schemaLike(one)]));
  return { type: 'object', properties, required: Object.keys(properties) };
}
