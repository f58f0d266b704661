import { ServerError } from '../../errors.ts';
import { memberOf, refuseUrl } from '../item-url.ts';
import type { Item } from '../task.ts';

/** Media types with which clients label audio; its format is read from the bytes. */
export const AUDIO_TYPES: readonly string[] = [
  ...['audio/wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave', 'audio/mpeg', 'audio/mp3', 'audio/mp4', 'audio/m4a'],
  ...['audio/x-m4a', 'audio/aac', 'audio/ogg', 'audio/opus', 'audio/flac', 'audio/x-flac', 'audio/webm', 'audio/amr'],
  ...['audio/aiff', 'audio/x-aiff', 'video/mp4', 'video/webm', 'video/mpeg', 'application/ogg'],
  'application/octet-stream',
];

const ANY_AUDIO = /^(?:audio|video)\/|^application\/(?:ogg|octet-stream)$/;

/** The audio of an item: bytes, or base64 text not yet decoded. Throws UNSUPPORTED_MEDIA_TYPE or INVALID_INPUT. */
export function audioOf(item: Item): Uint8Array | string {
  if (item.kind === 'raw') {
    if (ANY_AUDIO.test(item.contentType)) return item.bytes;
    throw new ServerError(
      'UNSUPPORTED_MEDIA_TYPE',
      'This model takes audio: a raw body, or {"audio": base64} in JSON.',
    );
  }
  const { value } = item;
  const text = memberOf(value, 'audio');
  if (typeof text === 'string') {
    refuseUrl(text);
    return text;
  }
  throw new ServerError('INVALID_INPUT', 'This model takes audio: a raw body, base64 text, or {"audio": base64 text}.');
}

/** An item whose audio is bytes: cheaper to hand over than base64. Throws as `audioOf` and `audioBytes`. */
export function rawSound(item: Item): Item {
  const audio = audioOf(item);
  const bytes = typeof audio === 'string' ? new Uint8Array(audioBytes(audio)) : new Uint8Array(audio);
  const { parameters } = item;
  return {
    kind: 'raw',
    contentType: 'application/octet-stream',
    bytes,
    ...(parameters === undefined ? {} : { parameters }),
  };
}

/** Bytes of base64 text or of a data URL. Throws INVALID_INPUT. */
export function audioBytes(text: string): Uint8Array {
  const comma = text.startsWith('data:') ? text.indexOf(',') : -1;
  if (text.startsWith('data:') && !text.slice(0, comma).endsWith(';base64'))
    throw new ServerError('INVALID_INPUT', 'A data URL must hold base64: data:audio/wav;base64,...');
  const body = text.slice(comma + 1).replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body)) throw new ServerError('INVALID_INPUT', 'The audio is not valid base64.');
  return Buffer.from(body, 'base64');
}
