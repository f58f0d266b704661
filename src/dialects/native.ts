import { ServerError } from '../errors.ts';
import type { Item, JsonItem } from '../tasks/task.ts';

/**
 * Requests of the native API (docs/api.md). JSON: `{"data": item}` for one item or `{"items": [item, ...]}` for many, with
 * `parameters` for all of them. Any other content type: the body is the item.
 */
export interface NativeRequest {
  readonly kind: 'single' | 'many';
  readonly items: readonly Item[];
}

/** Deeper JSON is no input of any task; walking or cloning it would run out of stack. */
const MOST_DEPTH = 64;
const FIELDS = ['data', 'items', 'parameters'];
/** No type, and what `curl -d` says by itself: nobody means a form here. */
const JSON_TYPES = ['', 'application/json', 'application/x-www-form-urlencoded'];
const UTF8_NAMES = ['utf-8', 'utf8', 'us-ascii', 'ascii'];

/**
 * Reads a request. `contentType` is the header as sent; without one the body is taken for JSON. Whether a raw type suits the model
 * is for its task to say. Throws BAD_REQUEST (malformed), TOO_LARGE (more than `itemLimit` items) or UNSUPPORTED_MEDIA_TYPE (a
 * text in another charset than UTF-8).
 */
export function decodeNative(contentType: string | undefined, body: Uint8Array, itemLimit: number): NativeRequest {
  const { type, charset } = parseContentType(contentType ?? '');
  if (JSON_TYPES.includes(type) || type.endsWith('+json')) return decodeJson(body, itemLimit);
  if (type.startsWith('text/') && charset !== undefined && !UTF8_NAMES.includes(charset))
    throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'Text must be UTF-8.');
  return { kind: 'single', items: [{ kind: 'raw', contentType: type, bytes: body }] };
}

/** RFC 9110, 8.3.1: type and charset in lower case. */
function parseContentType(header: string): { type: string; charset: string | undefined } {
  const [type = '', ...parameters] = header.toLowerCase().split(';');
  const charset = parameters
    .map((parameter) => /^\s*charset="?([^"\s]+)"?\s*$/.exec(parameter)?.[1])
    .find((name) => name !== undefined);
  return { type: type.trim(), charset };
}

function decodeJson(body: Uint8Array, itemLimit: number): NativeRequest {
  const request = parse(body);
  if (typeof request !== 'object' || request === null || Array.isArray(request))
    throw malformed('The body must be an object: {"data": ...} or {"items": [...]}.');
  const unknown = Object.keys(request).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined)
    throw malformed(`Unknown field "${unknown.slice(0, 40)}"; a request has "data" or "items", and "parameters".`);
  const { data, items, parameters } = request as Partial<Record<'data' | 'items' | 'parameters', unknown>>;
  if (Object.hasOwn(request, 'data') === Object.hasOwn(request, 'items'))
    throw malformed('Invalid data value: a request has either "data" or "items".');
  const shared = readParameters(parameters);
  if (!Object.hasOwn(request, 'items')) return { kind: 'single', items: [jsonItem(data, shared)] };
  if (!Array.isArray(items) || items.length === 0) throw malformed('"items" must be an array with at least one item.');
  if (items.length > itemLimit)
    throw new ServerError('TOO_LARGE', `A request may have ${itemLimit} items at most, not ${items.length}.`);
  return { kind: 'many', items: items.map((item: unknown) => jsonItem(item, shared)) };
}

function parse(body: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw malformed('The body is not valid JSON in UTF-8.');
  }
  if (isDeeper(value, MOST_DEPTH)) throw malformed(`JSON may be nested ${MOST_DEPTH} deep at most.`);
  return value;
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  for (const child of Array.isArray(value) ? (value as unknown[]) : Object.values(value))
    if (typeof child === 'object' && isDeeper(child, depth - 1)) return true;
  return false;
}

function readParameters(parameters: unknown): JsonItem['parameters'] {
  if (parameters === undefined || parameters === null) return undefined;
  if (typeof parameters === 'object' && !Array.isArray(parameters)) return parameters as JsonItem['parameters'];
  throw malformed('"parameters" must be an object.');
}

function jsonItem(value: unknown, parameters: JsonItem['parameters']): JsonItem {
  return parameters === undefined ? { kind: 'json', value } : { kind: 'json', value, parameters };
}

function malformed(message: string): ServerError {
  return new ServerError('BAD_REQUEST', message);
}
