import { isDeepStrictEqual } from 'node:util';
import { GrammarError } from './grammar-error.ts';
import type { Schema } from './schema-keywords.ts';

/** One schema whose values both allow. Throws GrammarError that names a keyword which the two cannot share. */
export function merged(one: Schema, other: Schema, where: string): Schema {
  checkClosed(one, other, where);
  const result: Record<string, unknown> = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const former = result[name];
    result[name] =
      former === undefined || isDeepStrictEqual(former, value) ? value : both(name, [former, value], where);
  }
  return result;
}

/** What `additionalProperties` closes are its own neighbours, so properties of the other schema would not be allowed. */
function checkClosed(one: Schema, other: Schema, where: string): void {
  for (const [closed, added] of [
    [one, other],
    [other, one],
  ] as const) {
    const isClosed = closed['additionalProperties'] !== undefined && closed['additionalProperties'] !== true;
    if (isClosed && Object.keys(added['properties'] ?? {}).length > 0)
      throw new GrammarError(`"additionalProperties" beside properties of another schema is not supported (${where})`);
  }
}

function both(name: string, [one, other]: readonly [unknown, unknown], where: string): unknown {
  if (name === 'required') return [...new Set([...(one as unknown[]), ...(other as unknown[])])];
  if (name === 'type') {
    const types = [one].flat().filter((type) => [other].flat().includes(type));
    if (types.length > 0) return types;
  }
  if (name === 'properties') {
    const shared = Object.keys(one as object).find((key) => Object.hasOwn(other as object, key));
    if (shared === undefined) return { ...(one as object), ...(other as object) };
    throw new GrammarError(`the property "${shared}" in two schemas that both hold is not supported (${where})`);
  }
  throw new GrammarError(`the keyword "${name}" in two schemas that both hold is not supported (${where})`);
}
