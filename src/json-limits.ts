import { ServerError } from './errors.ts';

/** Bounds on JSON that goes from thread to thread as values: each costs time on the main thread, whatever its text. */

/** No parameter of any task needs nearly as many. */
const MOST_PARAMETER_VALUES = 4096;
/** About 30 ms of cloning; a prompt of 128k token ids, or a conversation of ten thousand messages. */
const MOST_ITEM_VALUES = 200_000;

/** Throws INVALID_INPUT on parameters of more than 4,096 names and values, at all depths. */
export function checkParameters(parameters: Readonly<Record<string, unknown>>): void {
  if (countValues(parameters, MOST_PARAMETER_VALUES) > MOST_PARAMETER_VALUES)
    throw new ServerError(
      'INVALID_INPUT',
      `The parameters of a request may hold ${MOST_PARAMETER_VALUES} names and values at most.`,
    );
}

/** Throws TOO_LARGE on an item of more than 200,000 names and values. */
export function checkItemValue(value: unknown): void {
  if (countValues(value, MOST_ITEM_VALUES) > MOST_ITEM_VALUES)
    throw new ServerError('TOO_LARGE', `An item of this model may hold ${MOST_ITEM_VALUES} values at most.`);
}

/** Values in JSON at all depths; stops counting beyond `most`. */
export function countValues(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  if (Array.isArray(value) && value.length > most) return value.length;
  let count = 1;
  for (const name in value) {
    count += countValues((value as Readonly<Record<string, unknown>>)[name], most - count);
    if (count > most) break;
  }
  return count;
}
