import { ERRORS, type ErrorCode, type ServerError } from '../../errors.ts';
import type { Dialect, ToldError } from '../shared/dialect.ts';

export const OPENAI: Dialect = {
  name: 'openai',
  paths: /^\/v1(\/|$)/,
  tellError,
  tellStreamError: (error) => tellError(error).body,
};

/** OpenAI answers 400 where others answer 422 (a value that does not fit) or 415 (not a form, not audio), and its clients expect that. */
const OPENAI_STATUS: Partial<Record<ErrorCode, number>> = { INVALID_INPUT: 400, UNSUPPORTED_MEDIA_TYPE: 400 };

const OPENAI_CODES: Partial<Record<ErrorCode, string | null>> = {
  BAD_REQUEST: null,
  INVALID_INPUT: null,
  NOT_FOUND: 'unknown_url',
  MODEL_NOT_FOUND: 'model_not_found',
  QUEUE_FULL: 'rate_limit_exceeded',
  WAIT_TOO_LONG: 'rate_limit_exceeded',
  RATE_LIMITED: 'rate_limit_exceeded',
  QUOTA_EXCEEDED: 'insufficient_quota',
  UNAUTHORIZED: null,
};

/** https://platform.openai.com/docs/guides/error-codes */
function tellError(error: ServerError): ToldError {
  const { code, message } = error;
  const status = OPENAI_STATUS[code] ?? error.status;
  const named = OPENAI_CODES[code];
  const body = {
    error: {
      message,
      type: code === 'QUOTA_EXCEEDED' ? 'insufficient_quota' : openAiType(status),
      param: paramOf(error),
      code: error.reason ?? (named === undefined ? code.toLowerCase() : named),
    },
  };
  // The client retries every 408, 409, 429 and 5xx unless this header says no.
  const retried = status === 408 || status === 429 || status >= 500;
  // A request that took too long would take too long again, and a quota is for a day.
  const useful = ERRORS[code].retryable && code !== 'DEADLINE_EXCEEDED' && code !== 'QUOTA_EXCEEDED';
  return { status, body, ...(retried ? { headers: { 'X-Should-Retry': String(useful) } } : {}) };
}

/** Parameters of tasks for which clients send a field of another name. */
const FIELDS: Readonly<Record<string, string>> = { width: 'size', height: 'size', format: 'response_format' };

function paramOf({ param, code }: ServerError): string | null {
  if (param === undefined) return code === 'MODEL_NOT_FOUND' ? 'model' : null;
  return Object.hasOwn(FIELDS, param) ? (FIELDS[param] ?? null) : param;
}

function openAiType(status: number): string {
  if (status === 429) return 'requests';
  if (status === 503) return 'service_unavailable';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
