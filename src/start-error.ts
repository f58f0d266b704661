import { messageOf } from './errors.ts';
import { UnfitError } from './salad/fitness.ts';

/** The server cannot start; the message names every problem. */
export class StartError extends Error {}

/** A node that does not do ends the start with its reason. */
export function orUnfit<Value>(promise: Promise<Value>): Promise<Value> {
  return promise.catch((error: unknown) => {
    throw error instanceof UnfitError ? new StartError(error.message, { cause: error }) : error;
  });
}

/** Throws a StartError for what an option names and cannot be used. */
export function cannotStart(option: string): (error: unknown) => never {
  return (error) => {
    throw new StartError(`${option}: ${messageOf(error)}`, { cause: error });
  };
}
