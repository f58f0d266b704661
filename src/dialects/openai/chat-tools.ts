import { z } from 'zod';
import { isObject } from '../../json.ts';
import { choice, fieldError, flag, given, object } from '../shared/body-schema.ts';

/** Which tools a chat has and how they may be called: OpenAI's fields, and the older ones that know one call only. The task checks what they hold. */

const modes = ['none', 'auto', 'required'] as const;

export const TOOLS = {
  tools: z.array(object, 'an array of tools').optional(),
  tool_choice: z.union([choice(modes), object], `one of ${modes.join(', ')}, or an object`).optional(),
  parallel_tool_calls: flag.optional(),
  functions: z.array(object, 'an array of functions').optional(),
  function_call: z.union([choice(['none', 'auto']), object], 'none, auto or an object with a name').optional(),
};

type ToolFields = z.output<z.ZodObject<typeof TOOLS>>;

export interface ChatTools {
  /** Of the task's item; empty if there are no tools. */
  readonly item: Readonly<Record<string, unknown>>;
  /** The answer is to have the older form. */
  readonly isLegacy: boolean;
}

/** The tools of a chat. Throws BAD_REQUEST if they are given in both forms. https://platform.openai.com/docs/guides/function-calling */
export function toolsOf(fields: ToolFields): ChatTools {
  const { tools = [], functions = [], function_call: called } = fields;
  if (functions.length === 0) {
    const { tool_choice: chosen, parallel_tool_calls: parallel } = fields;
    const asks = tools.length > 0 || !(chosen === undefined || chosen === 'auto' || chosen === 'none');
    const item = { tools: fields.tools, tool_choice: chosen, parallel_tool_calls: parallel };
    return { item: asks ? given(item) : {}, isLegacy: false };
  }
  if (tools.length > 0) throw fieldError('functions', "'functions' is the older form of 'tools': send one of them.");
  const chosen = isObject(called) ? { type: 'function', function: called } : called;
  const item = { tools: functions.map((own) => ({ type: 'function', function: own })), tool_choice: chosen };
  return { item: given({ ...item, parallel_tool_calls: false }), isLegacy: true };
}
