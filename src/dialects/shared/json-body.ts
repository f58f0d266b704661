import { parse } from 'content-type';
import { isObject, parseJson, type JsonObject } from '../../json.ts';

/** Distinguishes bodies before they are decoded. */

/** No type, and the one that `curl -d` sends by default: no client means a form here. */
const JSON_TYPES = ['', 'application/json', 'application/x-www-form-urlencoded'];

/** Whether a body of this content type is read as JSON. */
export function isJsonType(contentType: string | undefined): boolean {
  const { type } = parse(contentType ?? '', { parameters: false });
  return JSON_TYPES.includes(type) || type.endsWith('+json');
}

/** Whether a client says that its body is JSON; one that says nothing may have left out the type of another body. */
export function saysJson(contentType: string | undefined): boolean {
  return /json/i.test(contentType ?? '');
}

/**
 * Whether a body is a JSON object with the field and without the others. It is parsed only if the quoted name occurs in it, because
 * a search is fast (gigabytes a second).
 */
export function hasField(body: Uint8Array, field: string, { without }: { without: readonly string[] }): boolean {
  const json = objectWith(body, field);
  return json !== undefined && Object.hasOwn(json, field) && !without.some((other) => Object.hasOwn(json, other));
}

/** Whether a body is a JSON object whose member is an object with the field; as quick as `hasField`. */
export function hasInnerField(body: Uint8Array, member: string, field: string): boolean {
  const inner = objectWith(body, field)?.[member];
  return isObject(inner) && Object.hasOwn(inner, field);
}

/** The object of a body in which the quoted name occurs; undefined if it does not, or for any other body. */
function objectWith(body: Uint8Array, field: string): JsonObject | undefined {
  if (!Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(`"${field}"`)) return undefined;
  try {
    const json = parseJson(body);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}
