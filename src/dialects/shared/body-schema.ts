import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../json.ts';
import { nearName } from '../../near-name.ts';
import { isWithin, rangeText, type Range } from '../../ranges.ts';

/**
 * Schemas of request bodies, and the one place that turns their issues into errors that clients can read. Bodies of JSON and forms are read by the same
 * schemas (`openai/multipart.ts` gives the fields of a form their types). The message of a type's schema is the type in words: "a string".
 */

/** Dialects differ in whether a wrong field is a malformed request or an invalid input. */
export type FieldErrorCode = 'BAD_REQUEST' | 'INVALID_INPUT';

type Reason =
  | 'empty_input'
  | 'invalid_type'
  | 'invalid_value'
  | 'missing_required_parameter'
  | 'unknown_parameter'
  | 'unsupported_parameter';

export const text = z.string('a string');
export const flag = z.boolean('true or false');
export const object = z.record(z.string(), z.unknown(), 'an object');

/** A number of the range. */
export function number(range: Range = {}): z.ZodNumber {
  const { min, max, integer = false } = range;
  return z
    .number(integer ? 'a whole number' : 'a number')
    .check((payload) => {
      const { value } = payload;
      if (!isWithin(value, range)) payload.issues.push(issue(value, `expected ${rangeText(range)}, got ${value}`));
    })
    .meta({
      ...(integer ? { type: 'integer' } : {}),
      ...(min === undefined ? {} : { minimum: min }),
      ...(max === undefined ? {} : { maximum: max }),
    });
}

export function choice<const Choices extends readonly string[]>(choices: Choices) {
  return z.enum(choices, `expected one of ${choices.join(', ')}`);
}

/** The elements of lists, which their own schemas do not show. */
export const ELEMENTS = new WeakMap<z.core.$ZodType, z.ZodType>();

/** A list, read up to its first wrong element: zod's own would take note of each, and a body may have ten million. */
export function list<Element extends z.ZodType>(element: Element, words: string) {
  const elements = z.array(z.unknown(), words).transform((values, context): z.output<Element>[] => {
    const all: z.output<Element>[] = [];
    for (const [index, value] of values.entries()) {
      const result = element.safeParse(value);
      if (result.success) {
        all.push(result.data);
        continue;
      }
      for (const found of result.error.issues)
        context.issues.push({ ...found, input: value, path: [index, ...found.path] } as z.core.$ZodRawIssue);
      return z.NEVER;
    }
    return all;
  });
  ELEMENTS.set(elements, element);
  return elements;
}

/** A field of a feature that this server lacks: it takes only values that do not ask for the feature. */
export function feature(...harmless: readonly unknown[]) {
  const texts = new Set(harmless.map((value) => JSON.stringify(value)));
  return z
    .unknown()
    .check((payload) => {
      const { value } = payload;
      if (value !== undefined && !texts.has(JSON.stringify(value)))
        payload.issues.push(issue(value, 'is not supported by this server', { reason: 'unsupported_parameter' }));
    })
    .optional();
}

/** Fields that are taken and have no effect. */
export function harmless(names: readonly string[]): Record<string, z.ZodOptional<z.ZodUnknown>> {
  return Object.fromEntries(names.map((name) => [name, z.unknown().optional()]));
}

/** An object within a body, in which `null` counts as absent too. */
export function nested<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess((value) => (isObject(value) ? withoutNulls(value) : value), z.object(shape, 'an object'));
}

/** An issue found by a check; `path` is relative to the checked value. `told` makes a sentence of `message`: for a wrong type, that is the type in words. */
export function issue(
  input: unknown,
  message: string,
  { reason = 'invalid_value', path = [] }: { reason?: Reason; path?: (string | number)[] } = {},
): z.core.$ZodRawIssue {
  return { code: 'custom', input, message, path, params: { reason } };
}

/**
 * The fields of a body as the schema reads them. `null` counts as absent, as OpenAI has it. Throws an error of the code that names the field at fault,
 * BAD_REQUEST if a list or text is empty that must not be. `at` is the place of the object, where it is not the body itself.
 */
export function readFields<Schema extends z.ZodObject>(
  schema: Schema,
  values: JsonObject,
  code: FieldErrorCode = 'BAD_REQUEST',
  at = '',
): z.output<Schema> {
  const given = withoutNulls(values);
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  if (first === undefined) throw new ServerError(code);
  throw told(given, nearest(first), { code, at });
}

/** Comparing a name with all known ones takes some 50 microseconds, and a body may have a million. */
const MOST_UNKNOWN = 100;

/** Names of fields that the schema does not have, the first hundred: they are ignored. Throws an error for one that is probably a misspelt known one. */
export function unknownFields({ shape }: z.ZodObject, values: JsonObject): string[] {
  const known = Object.keys(shape);
  const isUnknown = (name: string): boolean => !Object.hasOwn(shape, name) && values[name] !== null;
  const names = Object.keys(values).filter(isUnknown).slice(0, MOST_UNKNOWN);
  for (const name of names) {
    const near = nearName(name, known);
    if (near !== undefined)
      throw fieldError(
        name,
        `Unrecognized request argument supplied: ${name}. Did you mean '${near}'?`,
        'unknown_parameter',
      );
  }
  return names;
}

/** An error about a field that its schema alone cannot find. */
export function fieldError(
  param: string,
  message: string,
  reason: Reason = 'invalid_value',
  code: FieldErrorCode = 'BAD_REQUEST',
): ServerError {
  return new ServerError(code, message, { param, reason });
}

function withoutNulls(values: JsonObject): JsonObject {
  if (!Object.values(values).includes(null)) return values;
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

interface Found {
  readonly issue: z.core.$ZodIssue;
  readonly path: readonly PropertyKey[];
}

/** The issue of the best fit in a union of which no alternative fits: one that is wrong further inside, or only in its value; else the union's own. */
function nearest(first: z.core.$ZodIssue, before: readonly PropertyKey[] = []): Found {
  const path = [...before, ...first.path];
  if (first.code !== 'invalid_union') return { issue: first, path };
  const firsts = first.errors.flatMap(([one]) => (one === undefined ? [] : [one]));
  const best = firsts.find((one) => one.path.length > 0) ?? firsts.find(({ code }) => code !== 'invalid_type');
  return best === undefined ? { issue: first, path } : nearest(best, path);
}

function told(
  values: JsonObject,
  { issue: found, path }: Found,
  { code, at }: { code: FieldErrorCode; at: string },
): ServerError {
  const param = pathText(path, at);
  const { reason = reasonOf(found) } = (found.code === 'custom' ? (found.params ?? {}) : {}) as { reason?: Reason };
  if (reason !== 'unsupported_parameter' && valueAt(values, path) === undefined)
    return fieldError(param, `Missing required parameter: '${param}'.`, 'missing_required_parameter', code);
  const { message } = found;
  if (reason === 'empty_input') return emptyInput(param);
  if (reason === 'unsupported_parameter') return fieldError(param, `'${param}' ${message}.`, reason, code);
  return reason === 'invalid_type'
    ? fieldError(param, `Invalid type for '${param}': expected ${message}.`, reason, code)
    : fieldError(param, `Invalid value for '${param}': ${message}.`, reason, code);
}

function reasonOf({ code }: z.core.$ZodIssue): Reason {
  return code === 'invalid_type' || code === 'invalid_union' ? 'invalid_type' : 'invalid_value';
}

function valueAt(values: JsonObject, path: readonly PropertyKey[]): unknown {
  let value: unknown = values;
  for (const key of path) value = (value as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[key];
  return value;
}

/** `messages[0].content` */
function pathText(path: readonly PropertyKey[], at: string): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    at,
  );
}

/** Clients of TEI know this text. */
export function emptyInput(param: string): ServerError {
  return new ServerError('BAD_REQUEST', `\`${param}\` cannot be empty`, { param, reason: 'empty_input' });
}

/** The object without the entries that are undefined. */
export function given(values: JsonObject): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
