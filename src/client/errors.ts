/** What a call failed with: a refusal of the server, a reply that is none, or a server that could not be reached. */
export class CarpoolError extends Error {
  override readonly name = 'CarpoolError';
  /** Status of the reply; 0 without one. */
  readonly status: number;
  /** The server's code (docs/api.md, Errors); `NO_REPLY` without a reply, `BAD_REPLY` for one that is none of Carpool's. */
  readonly code: string;
  /** Finds the request in the server's log. */
  readonly requestId: string | undefined;
  /** When another try has a fair chance, if the server said so. */
  readonly retryAfterMs: number | undefined;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;

  constructor(message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.status = facts.status;
    this.code = facts.code;
    this.requestId = facts.requestId;
    this.retryAfterMs = facts.retryAfterMs;
    this.retryable = facts.retryable;
  }
}

export interface ErrorFacts {
  readonly status: number;
  readonly code: string;
  readonly retryable: boolean;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

const DIGITS = /^\d+$/;
/** Statuses of passing states, those of a gateway among them. Inference has no side effects, so trying again is safe. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);
/** A reply with such a code is final, whatever its status. */
const FINAL: ReadonlySet<string> = new Set(['RUN_TOO_LONG', 'LOAD_NOT_ALLOWED']);

/** The error of a reply whose status is not 2xx, from its body in the shape of any dialect, or of a gateway's page. */
export function errorOfReply(response: Response, text: string): CarpoolError {
  const { message, code } = wordsOf(text, response.status);
  const { headers, status } = response;
  const told = headers.get('x-should-retry');
  return new CarpoolError(message, {
    status,
    code,
    retryable: told === null ? PASSING.has(status) && !FINAL.has(code) : told === 'true',
    requestId: headers.get('x-request-id') ?? undefined,
    retryAfterMs: retryAfterMs(headers),
  });
}

/** `{"error": text, "code"}` (native, OIP, TEI), `{"error": {"message", "code"}}` (OpenAI), or `{"message"}` (Cohere). */
function wordsOf(text: string, status: number): { message: string; code: string } {
  const plain = { message: `The server answered ${status}.`, code: 'BAD_REPLY' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return plain;
  }
  if (!isRecord(value)) return plain;
  const inner = isRecord(value['error']) ? value['error'] : value;
  const message = [inner['message'], value['error']].find((found) => typeof found === 'string');
  const code = [inner['code'], inner['type'], value['error_type']].find((found) => typeof found === 'string');
  return message === undefined ? plain : { message, code: code ?? 'BAD_REPLY' };
}

/**
 * Milliseconds of `Retry-After-Ms`, or of `Retry-After` in seconds or as a date. Undefined for no time and for a date that is past, as it is by a clock that
 * is fast: tries without a pause would only add to the load.
 */
function retryAfterMs(headers: Headers): number | undefined {
  const exact = headers.get('retry-after-ms');
  const text = headers.get('retry-after') ?? '';
  const ms =
    exact !== null && DIGITS.test(exact)
      ? Number(exact)
      : DIGITS.test(text)
        ? Number(text) * 1000
        : Date.parse(text) - Date.now();
  return ms > 0 ? ms : undefined;
}

/** Whether a value of JSON is an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
