/**
 * The one table of errors. Each dialect turns a `ServerError` into its own shape. Any other error becomes INTERNAL with a
 * fixed text, and only the log has its details.
 */
export const ERRORS = {
  BAD_REQUEST: { status: 400, retryable: false, message: 'The request is malformed.' },
  UNAUTHORIZED: { status: 401, retryable: false, message: 'A valid API key is needed.' },
  FORBIDDEN: { status: 403, retryable: false, message: 'This is not allowed.' },
  NOT_FOUND: { status: 404, retryable: false, message: 'There is nothing at this address.' },
  MODEL_NOT_FOUND: { status: 404, retryable: false, message: 'There is no such model.' },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, message: 'This address does not take this method.' },
  REQUEST_TIMEOUT: { status: 408, retryable: true, message: 'The request did not arrive in time.' },
  TOO_LARGE: { status: 413, retryable: false, message: 'The request is larger than the server takes.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, message: 'This content type or encoding is not supported.' },
  INVALID_INPUT: { status: 422, retryable: false, message: 'The input is well-formed but not valid for this model.' },
  INFERENCE_FAILED: { status: 422, retryable: false, message: 'The model could not be run on this input.' },
  HEADERS_TOO_LARGE: {
    status: 431,
    retryable: false,
    message: 'The request headers are larger than the server takes.',
  },
  QUEUE_FULL: { status: 429, retryable: true, message: 'Queue is full. Please try again later.' },
  WAIT_TOO_LONG: {
    status: 429,
    retryable: true,
    message: 'The predicted wait and run are longer than the time limit of the request.',
  },
  RATE_LIMITED: { status: 429, retryable: true, message: 'The API key has sent requests faster than it may.' },
  QUOTA_EXCEEDED: { status: 429, retryable: true, message: 'The quota of the API key for this day is used up.' },
  CANCELLED: { status: 499, retryable: false, message: 'The client closed the connection.' },
  INTERNAL: { status: 500, retryable: false, message: 'Internal error.' },
  STARTING: { status: 503, retryable: true, message: 'The server is starting.' },
  MODEL_UNAVAILABLE: { status: 503, retryable: true, message: 'The model is not loaded at the moment.' },
  LOAD_NOT_ALLOWED: {
    status: 503,
    retryable: false,
    message: 'explicit model load / unload is not allowed unless model control is explicit',
  },
  DRAINING: { status: 503, retryable: true, message: 'The server is shutting down.' },
  FAILED: { status: 503, retryable: true, message: 'The server has failed and is about to be replaced.' },
  STORAGE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    message: 'The store of jobs cannot be read or written at the moment.',
  },
  LANE_LOST: { status: 503, retryable: true, message: 'The worker running this request was lost.' },
  RUN_TOO_LONG: {
    status: 504,
    retryable: false,
    message: 'The run of this request took longer than its model allows (runLimitMs).',
  },
  DEADLINE_EXCEEDED: { status: 504, retryable: true, message: 'The time limit of the request has passed.' },
} as const satisfies Record<string, { status: number; retryable: boolean; message: string }>;

export type ErrorCode = keyof typeof ERRORS;

interface ErrorOptions {
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
  readonly param?: string;
  readonly reason?: string;
}

/** Messages quote what a client sent, which may be of any length. */
const MOST_MESSAGE = 4000;
const MOST_PARAM = 200;

function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`;
}

/** An error that clients may see: its code decides the status and whether a retry may help, and its message is shown. */
export class ServerError extends Error {
  readonly code: ErrorCode;
  /** After how many milliseconds a retry has a fair chance; with QUEUE_FULL, WAIT_TOO_LONG and the 503s. */
  readonly retryAfterMs: number | undefined;
  /** The wrong field of the request, as its dialect writes it. */
  readonly param: string | undefined;
  /** A dialect's own name for the error, if it has a finer one than our code. */
  readonly reason: string | undefined;

  constructor(code: ErrorCode, message?: string, options: ErrorOptions = {}) {
    // A refusal needs no stack, and costs a tenth without it, which matters under overload.
    const { stackTraceLimit } = Error;
    if (code !== 'INTERNAL') Error.stackTraceLimit = 0;
    super(
      shortened(message ?? ERRORS[code].message, MOST_MESSAGE),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ServerError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.param = options.param === undefined ? undefined : shortened(options.param, MOST_PARAM);
    this.reason = options.reason;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** The error itself if clients may see it, else INTERNAL with the original as its cause. */
export function toServerError(error: unknown): ServerError {
  return error instanceof ServerError ? error : new ServerError('INTERNAL', undefined, { cause: asError(error) });
}

/** What a thrown thing says: in JavaScript it need not be an Error, nor anything that can be read. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'something that cannot be told';
  }
}

/** An error in the shape of the native and OIP dialects: OIP's clients need `error` to be text. */
export function errorBody(error: ServerError): { error: string; code: ErrorCode; retryAfterMs?: number } {
  return {
    error: error.message,
    code: error.code,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(error.retryAfterMs) }),
  };
}

/** An error on its way between threads, where an Error would lose its class and code. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly param?: string;
  readonly reason?: string;
  /** For the log alone. */
  readonly detail?: string;
}

/** The Error that was thrown, or one that says what else was. */
export function asError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown;
  } catch {
    // A proxy that will not be looked at.
  }
  return new Error(`thrown: ${messageOf(thrown)}`);
}

function detailOf(cause: Error): string {
  try {
    const { stack } = cause as { stack?: unknown };
    if (typeof stack === 'string') return stack;
  } catch {
    // A getter of a user's own.
  }
  return messageOf(cause);
}

export function plainError(thrown: unknown): PlainError {
  const { code, message, retryAfterMs, param, reason, cause } = toServerError(thrown);
  const detail = cause === undefined ? undefined : detailOf(asError(cause));
  return {
    code,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(param === undefined ? {} : { param }),
    ...(reason === undefined ? {} : { reason }),
    ...(detail === undefined ? {} : { detail }),
  };
}

export function errorOf({ code, message, detail, ...options }: PlainError): ServerError {
  return new ServerError(code, message, detail === undefined ? options : { ...options, cause: new Error(detail) });
}
