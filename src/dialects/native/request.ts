import { parse } from 'content-type';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { checkParameters, isObject, parseJson } from '../../json.ts';
import { nearName } from '../../near-name.ts';
import type { Item, JsonItem } from '../../tasks/task.ts';
import { isJsonType, saysJson } from '../shared/json-body.ts';
import type { DecodeContext, ItemsRequest } from '../shared/operation.ts';
import { readFloatItems } from './float-items.ts';
import type { NativeForm } from './reply.ts';

/** What bodies in JSON look like; they are read by hand, because items may be of any size. */
export const NATIVE_BODY = z.object({
  data: z.unknown().optional().meta({ description: 'The item, in the terms of the task' }),
  items: z.array(z.unknown()).min(1).optional().meta({ description: 'Several items, instead of data' }),
  parameters: z.record(z.string(), z.unknown()).optional(),
});

/** Requests of the native API (docs/api.md). */
interface NativeRequest {
  readonly kind: 'single' | 'many';
  readonly items: readonly Item[];
}

/**
 * `POST /predict`. JSON: `{"data": item}` for one item or `{"items": [item, ...]}` for many, with `parameters` for all of them. Without a content
 * type the body is read as JSON; with any other, it is the item, and the model's task decides whether it takes that. Throws BAD_REQUEST (malformed),
 * TOO_LARGE (more than `itemLimit` items) or UNSUPPORTED_MEDIA_TYPE (a text in a charset other than UTF-8).
 */
export function decodePredict(body: Uint8Array, context: DecodeContext): ItemsRequest<NativeForm> {
  const { contentType, itemLimit, floatRow } = context;
  if (!isJsonType(contentType)) {
    const { kind, items } = decodeRaw(contentType ?? '', body);
    return { model: undefined, items, options: { kind, raw: true } };
  }
  const quick = floatRow === undefined ? undefined : readFloatItems(body, floatRow, itemLimit);
  const { kind, items } = quick ?? decodeNativeJson(parseBody(body, contentType), itemLimit);
  return { model: undefined, items, options: { kind, raw: false } };
}

/** Clients that send the bytes of an image or a recording often leave out its type. */
function parseBody(body: Uint8Array, contentType: string | undefined): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    if (saysJson(contentType) || !(error instanceof ServerError) || mayBeJson(body)) throw error;
    const cure = 'If it is not meant to be JSON, say what it is in Content-Type (image/png, audio/wav, text/plain).';
    throw new ServerError(error.code, `${error.message} ${cure}`);
  }
}

/** Whether a body is empty or begins as a request in JSON does. */
function mayBeJson(body: Uint8Array): boolean {
  return /^\s*([{[]|$)/.test(Buffer.from(body.subarray(0, 64)).toString('latin1'));
}

const FIELDS = ['data', 'items', 'parameters'];
const UTF8_NAMES = ['utf-8', 'utf8', 'us-ascii', 'ascii'];

function decodeRaw(contentType: string, body: Uint8Array): NativeRequest {
  const { type, parameters } = parse(contentType);
  const { charset } = parameters;
  if (type.startsWith('text/') && charset !== undefined && !UTF8_NAMES.includes(charset.toLowerCase()))
    throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'Text must be UTF-8.');
  return { kind: 'single', items: [{ kind: 'raw', contentType: type, bytes: body }] };
}

/** Reads a request in JSON that is already parsed. Throws BAD_REQUEST or TOO_LARGE. */
function decodeNativeJson(request: unknown, itemLimit: number): NativeRequest {
  if (!isObject(request)) throw malformed('The body must be an object: {"data": ...} or {"items": [...]}.');
  const unknown = Object.keys(request).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw unknownField(unknown);
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

function unknownField(name: string): ServerError {
  const near = nearName(name, FIELDS);
  const guess = near === undefined ? '' : ` Did you mean "${near}"?`;
  return malformed(`Unknown field "${name.slice(0, 40)}"; a request has "data" or "items", and "parameters".${guess}`);
}

function readParameters(parameters: unknown): JsonItem['parameters'] {
  if (parameters === undefined || parameters === null) return undefined;
  if (!isObject(parameters)) throw malformed('"parameters" must be an object.');
  checkParameters(parameters);
  return parameters;
}

function jsonItem(value: unknown, parameters: JsonItem['parameters']): JsonItem {
  return parameters === undefined ? { kind: 'json', value } : { kind: 'json', value, parameters };
}

function malformed(message: string): ServerError {
  return new ServerError('BAD_REQUEST', message);
}
