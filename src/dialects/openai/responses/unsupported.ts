import { fieldError } from '../../shared/body-schema.ts';

/** The error for a part of OpenAI's API that this server does not have. */
export function unsupported(param: string, what: string): ReturnType<typeof fieldError> {
  return fieldError(param, `'${param}': ${what} are not supported by this server.`, 'unsupported_parameter');
}
