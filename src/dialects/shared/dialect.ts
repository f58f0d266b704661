import { errorBody, type ServerError } from '../../errors.ts';

/** Names of dialects, as logs and metrics have them; `http` is what belongs to none: pages, probes, metrics. */
export type DialectName = 'http' | 'native' | 'oip' | 'openai' | 'tei';

/** An error as a dialect tells it. */
export interface ToldError {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An HTTP protocol: what its operations have in common. */
export interface Dialect {
  readonly name: DialectName;
  /** Paths whose errors have its shape although no operation of its stands there. */
  readonly paths?: RegExp;
  tellError(error: ServerError): ToldError;
  /** The error of a stream that has begun: its status cannot be told any more. */
  tellStreamError(error: ServerError): unknown;
}

/** A dialect whose errors have our own shape, `{error: text, code}`: OIP's clients need `error` to be text. */
export function plainDialect(name: DialectName): Dialect {
  return {
    name,
    tellError: (error) => ({ status: error.status, body: errorBody(error) }),
    tellStreamError: (error) => ({ error: error.message }),
  };
}

export const HTTP = plainDialect('http');
