import { errorBody, type ServerError } from '../../errors.ts';

/** Names of dialects in logs and metrics; `http` is for paths of no dialect: pages, probes, metrics. */
export type DialectName = 'cohere' | 'hf' | 'http' | 'native' | 'oip' | 'ollama' | 'openai' | 'tei';

/** An error in the shape of a dialect. */
export interface ToldError {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An HTTP protocol: what its operations have in common. */
export interface Dialect {
  readonly name: DialectName;
  /** Paths whose errors have its shape although they have no operation of it. */
  readonly paths?: RegExp;
  tellError(error: ServerError): ToldError;
  /** The error of a stream that has begun: its status has been sent already. */
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
