import { parse } from 'content-type';
import { isObject, parseJson } from '../../json.ts';

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
  if (!Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(`"${field}"`)) return false;
  try {
    const json = parseJson(body);
    return isObject(json) && Object.hasOwn(json, field) && !without.some((other) => Object.hasOwn(json, other));
  } catch {
    return false;
  }
}
