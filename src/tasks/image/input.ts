import { ServerError } from '../../errors.ts';
import { memberOf, refuseUrl } from '../item-url.ts';
import type { Item } from '../task.ts';

/** Media types of a raw image. The format is read from the bytes, because clients often label images wrongly. */
export const IMAGE_TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/webp'];

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * The bytes of an item's PNG, JPEG or WebP: a raw body, or base64 or a data URL as a JSON string or `{"image": string}`.
 * Throws INVALID_INPUT, or UNSUPPORTED_MEDIA_TYPE for a raw body of another kind.
 */
export function readImageBytes(item: Item): Uint8Array {
  const bytes = item.kind === 'raw' ? item.bytes : decodeBase64(textOf(item.value));
  if (isImage(bytes)) return bytes;
  if (item.kind === 'raw' && bytes.byteLength > 0)
    throw new ServerError(
      'UNSUPPORTED_MEDIA_TYPE',
      'This model takes PNG, JPEG and WebP images, raw or as base64 in JSON.',
    );
  throw new ServerError('INVALID_INPUT', 'The image must be a PNG, a JPEG or a WebP.');
}

/** An item whose image is bytes: cheaper to hand over than base64. Throws as `readImageBytes`. */
export function rawImage(item: Item): Item {
  const bytes = new Uint8Array(readImageBytes(item));
  const { parameters } = item;
  return { kind: 'raw', contentType: 'image/*', bytes, ...(parameters === undefined ? {} : { parameters }) };
}

function textOf(value: unknown): string {
  const text = memberOf(value, 'image');
  if (typeof text !== 'string')
    throw new ServerError('INVALID_INPUT', 'This model takes an image: base64 text, a data URL, or {"image": text}.');
  refuseUrl(text);
  return text;
}

function decodeBase64(text: string): Uint8Array {
  const comma = text.startsWith('data:') ? text.indexOf(',') : -1;
  if (text.startsWith('data:') && !text.slice(0, comma).endsWith(';base64'))
    throw new ServerError('INVALID_INPUT', 'A data URL must hold base64: data:image/png;base64,...');
  const body = text.slice(comma + 1).replace(/\s+/g, '');
  if (!BASE64.test(body)) throw new ServerError('INVALID_INPUT', 'The image is not valid base64.');
  return Buffer.from(body, 'base64');
}

/** Judges by the first bytes: PNG (RFC 2083, 3.1), JPEG (ITU T.81, B.1.1.3) or WebP in its RIFF container (RFC 9649, 2.4). */
function isImage(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  return (
    head.startsWith('\x89PNG\r\n\x1a\n') ||
    head.startsWith('\xff\xd8\xff') ||
    (head.startsWith('RIFF') && head.slice(8) === 'WEBP')
  );
}
