import { ERRORS, errorBody, type ErrorCode, type ServerError } from '../../errors.ts';

/** An error as a dialect tells it. */
export interface ToldError {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error in the shape of the dialect: OpenAI's, TEI's, or the one of all others, whose `error` is text (OIP wants that). */
export function tellError(dialect: string, error: ServerError): ToldError {
  if (dialect === 'openai') return openAiError(error);
  return dialect === 'tei' ? teiError(error) : { status: error.status, body: errorBody(error) };
}

/** The error of a stream that has begun: its status cannot be told any more. */
export function tellStreamError(dialect: string, error: ServerError): unknown {
  return dialect === 'openai' ? openAiError(error).body : { error: error.message };
}

/** OpenAI has no 422 for a value that does not suit, nor 415 for a form without a file or sound that is none: its clients look for 400. */
const OPENAI_STATUS: Partial<Record<ErrorCode, number>> = { INVALID_INPUT: 400, UNSUPPORTED_MEDIA_TYPE: 400 };

const OPENAI_CODES: Partial<Record<ErrorCode, string | null>> = {
  BAD_REQUEST: null,
  INVALID_INPUT: null,
  NOT_FOUND: 'unknown_url',
  MODEL_NOT_FOUND: 'model_not_found',
  QUEUE_FULL: 'rate_limit_exceeded',
  WAIT_TOO_LONG: 'rate_limit_exceeded',
};

/** https://platform.openai.com/docs/guides/error-codes */
function openAiError(error: ServerError): ToldError {
  const { code, message, param } = error;
  const status = OPENAI_STATUS[code] ?? error.status;
  const named = OPENAI_CODES[code];
  const body = {
    error: {
      message,
      type: openAiType(status),
      param: param ?? (code === 'MODEL_NOT_FOUND' ? 'model' : null),
      code: error.reason ?? (named === undefined ? code.toLowerCase() : named),
    },
  };
  // The client retries every 408, 409, 429 and 5xx unless it is told.
  const retried = status === 408 || status === 429 || status >= 500;
  // What took too long once takes as long again.
  const useful = ERRORS[code].retryable && code !== 'DEADLINE_EXCEEDED';
  return { status, body, ...(retried ? { headers: { 'X-Should-Retry': String(useful) } } : {}) };
}

function openAiType(status: number): string {
  if (status === 429) return 'requests';
  if (status === 503) return 'service_unavailable';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

const TEI_TYPES: Partial<Record<ErrorCode, string>> = {
  QUEUE_FULL: 'Overloaded',
  WAIT_TOO_LONG: 'Overloaded',
  INTERNAL: 'Backend',
  INFERENCE_FAILED: 'Backend',
  RUN_TOO_LONG: 'Backend',
  DEADLINE_EXCEEDED: 'Backend',
  MODEL_NOT_FOUND: 'Backend',
};
const TEI_REASONS: Readonly<Record<string, string>> = { empty_input: 'Empty', wrong_task: 'Backend' };

/** What TEI answers when the model cannot do what is asked of it, or failed on it. */
const BACKEND_STATUS = 424;

/** Types and statuses are those of TEI's code, which writes the types with a capital; its documents do not. Our own `code` says more. */
function teiError(error: ServerError): ToldError {
  const { code, reason = '', status } = error;
  const type = TEI_REASONS[reason] ?? TEI_TYPES[code] ?? (status === 503 ? 'Unhealthy' : 'Validation');
  const isBackend = code === 'INFERENCE_FAILED' || reason === 'wrong_task';
  return { status: isBackend ? BACKEND_STATUS : status, body: { ...errorBody(error), error_type: type } };
}
