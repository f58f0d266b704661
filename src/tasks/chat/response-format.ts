import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import type { GrammarSpec } from '../../grammar/spec.ts';

/** The parameters that say what an answer must look like: OpenAI's `response_format`, and vLLM's `structured_outputs`. */

const schemaText = z.union([z.boolean(), z.record(z.string(), z.unknown())], 'a JSON Schema is expected');

/** OpenAI's, and `schema` without a wrapper, as clients of llama.cpp and others send it with both types. */
const responseFormat = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal('text') }),
    z.object({ type: z.literal('json_object'), schema: schemaText.nullish() }),
    z
      .object({
        type: z.literal('json_schema'),
        json_schema: z
          .object({ schema: schemaText, name: z.string().optional(), strict: z.boolean().nullish() })
          .optional(),
        schema: schemaText.nullish(),
      })
      .refine((format) => schemaOf(format) !== undefined, { path: ['json_schema'], message: 'an object is expected' }),
  ],
  'a "type" of text, json_object or json_schema is expected',
);

const STRUCTURES = ['json', 'regex', 'choice', 'grammar', 'json_object'];

const structuredOutputs = z
  .looseObject({
    json: z.union([schemaText, z.string()], 'a JSON Schema, or its text, is expected').optional(),
    regex: z.string().min(1).optional(),
    choice: z.array(z.string()).min(1).optional(),
    grammar: z.string().min(1).optional(),
    json_object: z.boolean().optional(),
  })
  .superRefine((value, context) => {
    const other = Object.keys(value).find((name) => !STRUCTURES.includes(name));
    if (other !== undefined)
      context.addIssue({
        code: 'custom',
        path: [other.slice(0, 40)],
        message: `one of ${STRUCTURES.join(', ')} is expected`,
      });
  });

export const RESPONSE_FORMAT = {
  response_format: responseFormat.optional(),
  structured_outputs: structuredOutputs.optional(),
};

/** Names of the parameters. */
export const FORM_PARAMETERS = Object.keys(RESPONSE_FORMAT) as (keyof typeof RESPONSE_FORMAT)[];

interface Asked {
  readonly response_format?: z.output<typeof responseFormat> | undefined;
  readonly structured_outputs?: z.output<typeof structuredOutputs> | undefined;
}

/** What the answer must look like; undefined: any text. Throws INVALID_INPUT if several forms are asked for. */
export function grammarOf(asked: Asked): GrammarSpec | undefined {
  const specs = [...ofResponseFormat(asked), ...ofStructuredOutputs(asked)];
  if (specs.length > 1)
    throw new ServerError('INVALID_INPUT', 'An answer can have one form only, and several are asked for.', {
      param: 'response_format' in asked ? 'response_format' : 'structured_outputs',
    });
  return specs[0];
}

function ofResponseFormat({ response_format: format }: Asked): GrammarSpec[] {
  if (format === undefined || format.type === 'text') return [];
  const schema = schemaOf(format);
  return [schema === undefined ? { kind: 'json' } : { kind: 'schema', schema: JSON.stringify(schema) }];
}

interface Schemas {
  readonly json_schema?: { readonly schema: z.output<typeof schemaText> } | undefined;
  readonly schema?: z.output<typeof schemaText> | null | undefined;
}

function schemaOf({ json_schema: wrapper, schema }: Schemas): z.output<typeof schemaText> | undefined {
  return wrapper?.schema ?? schema ?? undefined;
}

function ofStructuredOutputs({ structured_outputs: asked }: Asked): GrammarSpec[] {
  if (asked === undefined) return [];
  const { json, regex, choice, grammar, json_object: object } = asked;
  return [
    ...(json === undefined
      ? []
      : [{ kind: 'schema', schema: typeof json === 'string' ? json : JSON.stringify(json) } as const]),
    ...(regex === undefined ? [] : [{ kind: 'regex', text: regex } as const]),
    ...(choice === undefined ? [] : [{ kind: 'choice', choices: choice } as const]),
    ...(grammar === undefined ? [] : [{ kind: 'ebnf', text: grammar } as const]),
    ...(object === true ? [{ kind: 'json' } as const] : []),
  ];
}
