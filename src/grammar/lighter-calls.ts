import { GrammarError } from './grammar-error.ts';
import { JsonRules } from './json-rules.ts';
import { MOST_PARTS, NetworkBuilder } from './network.ts';
import { parseSchema } from './parse-schema.ts';
import { SchemaWriter } from './schema.ts';
import type { CallsSpec } from './spec.ts';

/** What loose schemas may take together; the rest is for strict ones and the texts around them. */
const ROOM = MOST_PARTS / 2;
/** What one of them may take. Many that take more cost little time, because measuring ends here. */
const MOST_OF_ONE = MOST_PARTS / 16;

/** Calls that were too large in all, with arguments that may be any object where a loose schema takes too much, or comes when the room is gone. */
export function lighterCalls(spec: CallsSpec): CallsSpec {
  let left = ROOM;
  const calls = spec.calls.map((call) => {
    if (call.loose !== true) return call;
    const size = sizeOf(call.schema, Math.min(left, MOST_OF_ONE));
    left -= size ?? 0;
    return size === undefined ? { ...call, schema: '{"type":"object"}' } : call;
  });
  return { ...spec, calls };
}

/** Nodes and edges of a schema's rules; undefined if there are more than `most`, or none because it cannot be held to. */
function sizeOf(schema: string, most: number): number | undefined {
  const builder = new NetworkBuilder(most);
  try {
    new SchemaWriter(new JsonRules(builder), parseSchema(schema)).root();
    return builder.parts;
  } catch (error) {
    if (error instanceof GrammarError) return undefined;
    throw error;
  }
}
