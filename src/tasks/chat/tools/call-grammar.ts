import { isObject } from '../../../json.ts';
import type { CallsSpec, GrammarSpec } from '../../../grammar/spec.ts';
import type { ToolFormat } from './formats.ts';
import type { Tool, ToolUse } from './tool-use.ts';

/** A weak model goes on calling for as long as it may. */
const MOST_FORCED_CALLS = 8;

/**
 * What an answer must look like so that its calls fit their tools: where calls are forced, where a tool is strict, or where an answer without calls has a `form`
 * of its own. Undefined if any text will do; also for strict tools that need not be called, where nothing marks a call (Llama).
 */
export function grammarOfCalls(
  use: ToolUse | undefined,
  format: ToolFormat,
  form?: GrammarSpec,
): GrammarSpec | undefined {
  if (use === undefined) return form;
  const calls = callsOf(use, format);
  if (use.forced) return calls;
  if (form !== undefined) return { ...calls, otherwise: form };
  const [trigger] = format.begin;
  const isHeld = format.bare !== true && trigger !== undefined && use.tools.some(({ strict }) => strict);
  return isHeld ? { ...calls, trigger } : undefined;
}

function callsOf({ tools, parallel }: ToolUse, { layout }: ToolFormat): CallsSpec {
  return {
    kind: 'calls',
    calls: tools.map((tool) => ({
      begin: `${layout.before}${tool.name}${layout.within}`,
      schema: JSON.stringify(schemaOf(tool)),
      end: layout.after,
      loose: !tool.strict,
    })),
    ...{ before: layout.open, separator: layout.between, after: layout.close },
    most: parallel && tools.length > 1 ? MOST_FORCED_CALLS : 1,
  };
}

/** A function of which no parameters are told has none. */
function schemaOf({ parameters }: Tool): Tool['parameters'] {
  const { properties, additionalProperties = false } = parameters;
  const isEmpty = properties === undefined || (isObject(properties) && Object.keys(properties).length === 0);
  return isEmpty ? { ...parameters, additionalProperties } : parameters;
}
