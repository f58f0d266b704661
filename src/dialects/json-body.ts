import { ServerError } from '../errors.ts';

/** Deeper JSON is no input of any task; walking or cloning it would run out of stack. */
const MOST_DEPTH = 64;

/** The value of a JSON body. Throws BAD_REQUEST: not UTF-8, not JSON, nested more than 64 deep. */
export function parseJson(body: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new ServerError('BAD_REQUEST', 'The body is not valid JSON in UTF-8.');
  }
  if (isDeeper(value, MOST_DEPTH))
    throw new ServerError('BAD_REQUEST', `JSON may be nested ${MOST_DEPTH} deep at most.`);
  return value;
}

/** The object of a JSON body. Throws BAD_REQUEST, as `parseJson` does, and where it is another value. */
export function parseJsonObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  const value = parseJson(body);
  if (isObject(value)) return value;
  throw new ServerError('BAD_REQUEST', 'The body must be a JSON object.');
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  for (const child of Array.isArray(value) ? (value as unknown[]) : Object.values(value))
    if (typeof child === 'object' && isDeeper(child, depth - 1)) return true;
  return false;
}
