import { type Schema, typesOf } from './schema-keywords.ts';

/** Properties of properties are compared so deep. */
const MOST_DEPTH = 4;

/** Whether no value fits two schemas, as far as is easily seen: by their types, their constants, or a property that both require. */
export function areApart(
  one: Schema,
  other: Schema,
  resolve: (schema: unknown) => Schema,
  depth = MOST_DEPTH,
): boolean {
  const [types, others] = [typesOf(one, ''), typesOf(other, '')];
  const [values, otherValues] = [valuesOf(one), valuesOf(other)];
  if (values !== undefined && otherValues !== undefined) return !values.some((value) => otherValues.includes(value));
  if (types !== undefined && others !== undefined) {
    const numbers = (list: readonly string[]): Set<string> =>
      new Set(list.map((type) => (type === 'integer' ? 'number' : type)));
    if (![...numbers(types)].some((type) => numbers(others).has(type))) return true;
  }
  const isObject = [types, others].every((list) => list?.length === 1 && list[0] === 'object');
  if (!isObject || depth === 0) return false;
  return sharedNames(one, other).some((name) =>
    areApart(property(one, name), property(other, name), resolve, depth - 1),
  );

  function property(schema: Schema, name: string): Schema {
    return resolve((schema['properties'] as Schema)[name]);
  }
}

/** Values that a schema spells out, as JSON. */
function valuesOf(schema: Schema): string[] | undefined {
  if (schema['const'] !== undefined) return [JSON.stringify(schema['const'])];
  return Array.isArray(schema['enum']) ? schema['enum'].map((value) => JSON.stringify(value)) : undefined;
}

/** Properties that both schemas require. */
function sharedNames(one: Schema, other: Schema): string[] {
  const names = (schema: Schema): string[] =>
    Array.isArray(schema['required'])
      ? (schema['required'] as string[]).filter((name) => Object.hasOwn(schema['properties'] ?? {}, name))
      : [];
  return names(one).filter((name) => names(other).includes(name));
}
