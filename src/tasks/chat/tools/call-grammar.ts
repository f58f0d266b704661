import type { CallsSpec } from '../../../grammar/spec.ts';
import type { ToolFormat } from './formats.ts';
import type { Tool, ToolUse } from './tool-use.ts';

/** A weak model goes on calling for as long as it may. */
const MOST_FORCED_CALLS = 8;

/**
 * What an answer must look like so that its calls fit their tools: where calls are forced, or where a tool is strict. Undefined if any text will do; also for
 * strict tools that need not be called, where nothing marks a call (Llama).
 */
export function grammarOfCalls(use: ToolUse | undefined, { layout, begin, bare }: ToolFormat): CallsSpec | undefined {
  if (use === undefined) return undefined;
  const { tools, forced, parallel } = use;
  const [trigger] = begin;
  if (!forced && (bare === true || trigger === undefined || !tools.some(({ strict }) => strict))) return undefined;
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
    ...(forced || trigger === undefined ? {} : { trigger }),
  };
}

/** A function of which no parameters are told has none. */
function schemaOf({ parameters }: Tool): Tool['parameters'] {
  const { properties = {}, additionalProperties = false } = parameters;
  const isEmpty = Object.keys(properties as object).length === 0;
  return isEmpty ? { ...parameters, additionalProperties } : parameters;
}
