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

/** Schemas of a document; those that have a name (`meta({ id })`) stand among its components, once, and are referred to. */
export class Schemas {
  /** By name. */
  readonly named: Record<string, JsonSchema> = {};
  readonly #known = new Map<z.ZodType, JsonSchema>();

  of(schema: z.ZodType): JsonSchema {
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    const text = JSON.stringify(jsonSchemaOf(schema)).replaceAll('"#/$defs/', '"#/components/schemas/');
    const { $defs: parts = {}, ...own } = JSON.parse(text) as { $defs?: Readonly<Record<string, JsonSchema>> };
    Object.assign(this.named, parts);
    this.#known.set(schema, own);
    return own;
  }

  /** A reference to the schema, which gets the name. */
  name(name: string, schema: JsonSchema): JsonSchema {
    this.named[name] = schema;
    return { $ref: `#/components/schemas/${name}` };
  }
}

/** One of the schemas. */
export function oneOf(schemas: readonly JsonSchema[]): JsonSchema {
  const [first = {}, ...others] = new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values();
  return others.length === 0 ? first : { anyOf: [first, ...others] };
}

/** JSON Schema of values that look like these: objects with fields that all have, and others that some have. */
export function schemaLike(...values: readonly unknown[]): JsonSchema {
  if (!values.every(isRecord)) return { type: oneOrMore(values.map(typeOf)) };
  const names = new Set(values.flatMap((value) => Object.keys(value)));
  const properties = Object.fromEntries(
    Array.from(names, (name) => [
      name,
      schemaLike(...values.filter((value) => Object.hasOwn(value, name)).map((value) => value[name])),
    ]),
  );
  const required = [...names].filter((name) => values.every((value) => Object.hasOwn(value, name)));
  return { type: 'object', properties, required };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeOf(value) === 'object';
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function oneOrMore(types: readonly string[]): string | readonly string[] {
  const [first = 'null', ...others] = new Set(types);
  return others.length === 0 ? first : [first, ...others];
}
