import { isObject, type JsonObject } from '../../../json.ts';
import { unsupported } from './unsupported.ts';

/** Tools in the flat form of the Responses API, as a chat has them. Hosted tools (web search, files, code, computers, MCP) are refused by name. */

/** Throws BAD_REQUEST for a tool that is not a function. The task checks what functions hold. */
export function chatTools(tools: readonly JsonObject[] | undefined): readonly JsonObject[] | undefined {
  return tools?.map(({ type, ...own }, index) => {
    if (type !== 'function') throw unsupported(`tools[${index}]`, `tools of type '${String(type)}'`);
    return { type: 'function', function: own };
  });
}

/** A choice of tools as a chat has it. Throws BAD_REQUEST for the choice of a hosted tool. */
export function chatToolChoice(choice: string | JsonObject | undefined): unknown {
  if (!isObject(choice)) return choice;
  const { type, mode, tools } = choice;
  if (type === 'function') return named(choice);
  if (type !== 'allowed_tools') throw unsupported('tool_choice', `choices of type '${String(type)}'`);
  const allowed = Array.isArray(tools) ? tools.map((tool: unknown) => (isObject(tool) ? named(tool) : tool)) : tools;
  return { type: 'allowed_tools', allowed_tools: { mode, tools: allowed } };
}

function named({ type, name }: JsonObject): JsonObject {
  return { type, function: { name } };
}
