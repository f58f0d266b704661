import type { ServerError } from '../../errors.ts';
import type { Dialect, ToldError } from '../shared/dialect.ts';

/** Cohere's API: its clients read `message` of an error. https://docs.cohere.com/reference/errors */
export const COHERE: Dialect = {
  name: 'cohere',
  tellError,
  tellStreamError: (error) => ({ message: error.message }),
};

/** Cohere answers 400 where others answer 422 (a value that does not fit). */
function tellError({ code, message, status }: ServerError): ToldError {
  return { status: code === 'INVALID_INPUT' ? 400 : status, body: { message, code } };
}
