import { z } from 'zod';
import { ServerError } from '../../../errors.ts';
import { countValues, isDeeper, isObject, type JsonObject } from '../../../json.ts';
import type { TextArguments } from './notations.ts';

/** The tools of a chat item, and how they may be called: `tools`, `tool_choice` and `parallel_tool_calls` in the shapes of OpenAI's API. */

/** A function that the model may call. */
export interface Tool {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments, an object. */
  readonly parameters: JsonObject;
  /** Whether the arguments must fit the schema. */
  readonly strict: boolean;
}

export interface ToolUse {
  /** Those that may be called, at least one. */
  readonly tools: readonly Tool[];
  /** The answer is one call or more, and nothing else. */
  readonly forced: boolean;
  /** An answer may have several calls. */
  readonly parallel: boolean;
}

const MOST_TOOLS = 128;
const MOST_DESCRIPTION_CHARACTERS = 65_536;
const MOST_SCHEMA_VALUES = 10_000;
const MOST_SCHEMA_DEPTH = 32;
const EMPTY_PARAMETERS = { type: 'object', properties: {} };

const toolName = z
  .string('a name is expected')
  .regex(/^[\w.:-]{1,128}$/, 'a name of up to 128 letters, digits, "_", "-", "." and ":" is expected');

const parameters = z
  .custom<JsonObject>((value) => isObject(value), 'a JSON Schema is expected')
  .refine(({ type = 'object' }) => type === 'object', 'a schema of type "object" is expected')
  .refine((value) => !isDeeper(value, MOST_SCHEMA_DEPTH), `a schema is nested ${MOST_SCHEMA_DEPTH} deep at most`)
  .refine(
    (value) => countValues(value, MOST_SCHEMA_VALUES) <= MOST_SCHEMA_VALUES,
    `a schema has ${MOST_SCHEMA_VALUES} names and values at most`,
  );

const tool = z.object({
  type: z.literal('function', 'only tools of type "function" can be called'),
  function: z.object(
    {
      name: toolName,
      description: z.string('a text is expected').max(MOST_DESCRIPTION_CHARACTERS).nullish(),
      parameters: parameters.nullish(),
      strict: z.boolean('true or false is expected').nullish(),
    },
    'an object is expected',
  ),
});

const named = z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) });
const allowed = z.object({
  type: z.literal('allowed_tools'),
  allowed_tools: z.object({ mode: z.enum(['auto', 'required']), tools: z.array(named).min(1).max(MOST_TOOLS) }),
});
const choice = z.union(
  [z.enum(['auto', 'none', 'required']), named, allowed],
  'expected "auto", "none", "required", {"type": "function", "function": {"name": ...}} or {"type": "allowed_tools", ...}',
);

const fields = z.object({
  tools: z.array(z.unknown(), 'a list of tools is expected').max(MOST_TOOLS, `at most ${MOST_TOOLS} tools`).nullish(),
  tool_choice: choice.nullish(),
  parallel_tool_calls: z.boolean('true or false is expected').nullish(),
});

/** An item's fields that say which tools there are and how they may be called. */
export interface ToolFields {
  readonly tools?: unknown;
  readonly tool_choice?: unknown;
  readonly parallel_tool_calls?: unknown;
}

/** How an item's tools may be called; undefined if none may. Throws INVALID_INPUT that names the field at fault, e.g. `tools.3.function.name`. */
export function readToolUse(given: ToolFields): ToolUse | undefined {
  const { tools: list, tool_choice: chosen, parallel_tool_calls: parallel } = read(fields, given, []);
  const tools = (list ?? []).map((value, index) => toolOf(read(tool, value, ['tools', index])));
  if (tools.length === 0) {
    if (chosen === undefined || chosen === null || chosen === 'auto' || chosen === 'none') return undefined;
    throw refused('tool_choice', 'there are no tools to choose from');
  }
  const names = new Set(tools.map(({ name }) => name));
  for (const [index, { name }] of tools.entries())
    if (!names.delete(name)) throw refused(`tools.${index}.function.name`, `there are two tools "${name}"`);
  const wanted = chosen ?? 'auto';
  if (wanted === 'none') return undefined;
  const whether = { parallel: parallel ?? true };
  if (typeof wanted === 'string') return { tools, forced: wanted === 'required', ...whether };
  if (wanted.type === 'function')
    return { tools: [toolNamed(tools, wanted.function.name, 'tool_choice.function.name')], forced: true, ...whether };
  const { mode, tools: some } = wanted.allowed_tools;
  const callable = some.map((one, index) =>
    toolNamed(tools, one.function.name, `tool_choice.allowed_tools.tools.${index}.function.name`),
  );
  return { tools: [...new Set(callable)], forced: mode === 'required', ...whether };
}

/** Length of the tools in a prompt, in UTF-16 units. */
export function lengthOfTools(use: ToolUse | undefined): number {
  return use === undefined ? 0 : JSON.stringify(use.tools).length;
}

function toolOf({ function: own }: z.output<typeof tool>): Tool {
  const { name, description, parameters: schema, strict } = own;
  return {
    name,
    ...(typeof description === 'string' ? { description } : {}),
    parameters: schema ?? EMPTY_PARAMETERS,
    strict: strict ?? false,
  };
}

function toolNamed(tools: readonly Tool[], name: string, param: string): Tool {
  const found = tools.find((one) => one.name === name);
  if (found === undefined) throw refused(param, `there is no tool "${name.slice(0, 128)}"`);
  return found;
}

function read<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: readonly (string | number)[],
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw refused([...path, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'invalid');
}

function refused(param: string, message: string): ServerError {
  return new ServerError('INVALID_INPUT', `${param}: ${message}.`, { param });
}

/** Which arguments of each tool are texts, by their schemas; of those that may be something else, too, that is not said to be one. */
export function textArguments(tools: readonly Tool[]): TextArguments {
  return Object.fromEntries(
    tools.map(({ name, parameters: { properties } }) => [
      name,
      Object.fromEntries(
        Object.entries(isObject(properties) ? properties : {}).map(([argument, schema]) => [
          argument,
          !isObject(schema) || schema['type'] === undefined ? !hasKinds(schema) : schema['type'] === 'string',
        ]),
      ),
    ]),
  );
}

/** Whether a schema without a type says otherwise what a value is. */
function hasKinds(schema: unknown): boolean {
  return isObject(schema) && ['anyOf', 'oneOf', 'allOf', '$ref', 'enum', 'const'].some((name) => name in schema);
}
