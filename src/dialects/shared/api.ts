import { checkParameters } from '../../json.ts';
import type { Item, JsonItem } from '../../tasks/task.ts';

/** What a decoder may need besides the body. */
export interface DecodeContext {
  /** The header as sent. */
  readonly contentType?: string | undefined;
  readonly itemLimit: number;
}

/** A request of one of the translated APIs, as items of the model's task. */
export interface ApiRequest<Options> {
  /** The model it asks for, if it does. */
  readonly model: string | undefined;
  readonly items: readonly Item[];
  /** Names of its fields that nobody here knows: they are not heeded, and the reply says so. */
  readonly ignored?: readonly string[];
  /** What its reply needs to know of it; plain data, small. */
  readonly options: Options;
}

/** One item with its parameters; those that are undefined are left out. Throws INVALID_INPUT on more of them than any task has. */
export function jsonItem(value: unknown, parameters: Readonly<Record<string, unknown>>): JsonItem {
  checkParameters(parameters);
  const entries = Object.entries(parameters).filter(([, one]) => one !== undefined);
  return entries.length === 0
    ? { kind: 'json', value }
    : { kind: 'json', value, parameters: Object.fromEntries(entries) };
}
