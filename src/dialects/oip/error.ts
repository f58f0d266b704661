import { ServerError } from '../../errors.ts';

/** A request that breaks the protocol: 400. */
export function malformed(message: string): ServerError {
  return new ServerError('BAD_REQUEST', message);
}

/** A request that keeps the protocol but does not fit the model: 422. */
export function unfit(message: string): ServerError {
  return new ServerError('INVALID_INPUT', message);
}

const SHOWN_CHARACTERS = 80;

/** Text from a client in quotes, cut to a length that fits a message and a log line. */
export function shown(text: string): string {
  return `'${text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text}'`;
}
