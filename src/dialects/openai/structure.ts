import { z } from 'zod';
import { flag, given, object, text } from '../shared/body-schema.ts';

/** Fields that say what an answer must look like: OpenAI's, and vLLM's in both of their spellings. */

const choices = z.array(text, 'an array of strings');
const schema = z.union([text, object, flag], 'a JSON Schema');

export const STRUCTURE = {
  response_format: object.optional(),
  structured_outputs: object.optional(),
  guided_json: schema.optional(),
  guided_regex: text.optional(),
  guided_choice: choices.optional(),
  guided_grammar: text.optional(),
};

type StructureFields = { readonly [Name in keyof typeof STRUCTURE]?: unknown };

/** The task's parameters of these fields; those not given are left out. https://docs.vllm.ai/en/latest/features/structured_outputs.html */
export function structureOf(fields: StructureFields): Record<string, unknown> {
  const guided = given({
    json: fields.guided_json,
    regex: fields.guided_regex,
    choice: fields.guided_choice,
    grammar: fields.guided_grammar,
  });
  const structured = Object.keys(guided).length === 0 ? fields.structured_outputs : guided;
  const { response_format: format } = fields as { readonly response_format?: { readonly type?: unknown } };
  return given({ response_format: format?.type === 'text' ? undefined : format, structured_outputs: structured });
}
