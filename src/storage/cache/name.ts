import { createHash, randomUUID } from 'node:crypto';
import type { ObjectFacts } from '../storage.ts';

/** Parameters of a presigned URL that say who may read, and until when, not what: two such URLs of one object are the same. */
const SIGNATURE = /^(x-amz-|x-goog-)/i;

/** A file of the cache: which object of which place, and how long it is. */
const NAME = /^[\w-]{43}\.[\w-]{22}\.(\d+)$/;

/** The name of an object's file. An object without a validator gets a name of its own each time, because nobody can say whether it is still the same. */
export function nameOf(place: string, { validator, size }: ObjectFacts): string {
  return `${digest(plain(place))}.${digest(validator ?? randomUUID()).slice(0, 22)}.${size}`;
}

/** The size in the name of a file; undefined if it is no file of the cache. */
export function sizeIn(name: string): number | undefined {
  const [, size] = NAME.exec(name) ?? [];
  return size === undefined ? undefined : Number(size);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function plain(place: string): string {
  if (!/^https?:/i.test(place) || !URL.canParse(place)) return place;
  const url = new URL(place);
  for (const name of [...url.searchParams.keys()]) if (SIGNATURE.test(name)) url.searchParams.delete(name);
  url.hash = '';
  return url.href;
}
