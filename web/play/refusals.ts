import { isObject } from './json-shape.ts';

/** A refusal as the server words it, in whichever dialect. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  /** Empty if it names none. */
  readonly code: string;
  /** When another try has a fair chance; undefined if the server does not say. */
  readonly retryAfterMs: number | undefined;
}

/** Reads the error of an answer. `retryAfter` is the header of that name, in seconds. */
export function readRefusal(status: number, body: string, retryAfter: string | null): Refusal {
  const { message, code, retryAfterMs } = wordsOf(body);
  const seconds = Number(retryAfter ?? Number.NaN);
  return {
    status,
    message: message === '' ? plainWords(status, body) : message,
    code,
    retryAfterMs: retryAfterMs ?? (retryAfter !== null && Number.isFinite(seconds) ? seconds * 1000 : undefined),
  };
}

interface Words {
  readonly message: string;
  readonly code: string;
  readonly retryAfterMs?: number;
}

/** `{"error": text, "code"}`, `{"error": {"message", "code"}}` or `{"message", "code"}`. */
function wordsOf(body: string): Words {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return { message: '', code: '' };
  }
  if (!isObject(json)) return { message: '', code: '' };
  const told = isObject(json['error']) ? json['error'] : json;
  const message = [told['message'], json['error']].find((one) => typeof one === 'string') ?? '';
  const code = typeof told['code'] === 'string' ? told['code'] : '';
  const { retryAfterMs } = json;
  return { message, code, ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}) };
}

const LONGEST = 300;

/** Of a proxy, say, that does not answer in JSON. */
function plainWords(status: number, body: string): string {
  const text = body
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, LONGEST);
  return text === '' ? `The server answered with status ${status}.` : text;
}
