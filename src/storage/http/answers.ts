import { retryAfterMs } from '../../retry-after.ts';
import type { ObjectFacts } from '../storage.ts';
import { StorageError } from '../storage.ts';
import type { HttpAnswer } from './client.ts';
import { Passing } from './retry.ts';

/** What an answer says of the object; the size is that of the whole object, undefined where it is not told. */
export type ToldFacts = Omit<ObjectFacts, 'size'> & { readonly size: number | undefined };

/** A part of an object, in bytes from its beginning; `size` is that of the whole. RFC 9110 14.4. */
export interface ContentRange {
  /** Undefined in the answer to a range that there is not (416). */
  readonly start: number | undefined;
  readonly size: number;
}

export function contentRange({ headers }: HttpAnswer): ContentRange | undefined {
  const [, start, size] = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(String(headers['content-range'])) ?? [];
  if (size === undefined) return undefined;
  return { start: start === undefined ? undefined : Number(start), size: Number(size) };
}

/** What the answer to a GET says of its object. */
export function toldFacts(answer: HttpAnswer): ToldFacts {
  const { statusCode, headers } = answer;
  const length = headers['content-length'];
  const whole = length === undefined ? undefined : Number(length);
  const validator = text(headers['etag']) ?? text(headers['last-modified']);
  const contentType = text(headers['content-type']);
  const modified = new Date(text(headers['last-modified']) ?? Number.NaN);
  return {
    size: statusCode === 200 ? whole : contentRange(answer)?.size,
    ...(validator === undefined ? {} : { validator }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(Number.isNaN(modified.getTime()) ? {} : { modified }),
  };
}

function text(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const FORBIDDEN: ReadonlySet<number> = new Set([401, 403, 407]);
const ABSENT: ReadonlySet<number> = new Set([404, 410]);
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

export function isAbsent({ statusCode }: HttpAnswer): boolean {
  return ABSENT.has(statusCode);
}

/** The error for an answer that is not the one that was wanted. */
export function refusal({ statusCode, headers }: HttpAnswer, shown: string): Error {
  const what = `answered with status ${statusCode}`;
  if (PASSING.has(statusCode)) return new Passing(what, retryAfterMs(headers['retry-after']));
  const message = `${shown}: ${what}`;
  if (FORBIDDEN.has(statusCode)) return new StorageError('FORBIDDEN', message);
  if (ABSENT.has(statusCode)) return new StorageError('NOT_FOUND', message);
  if (statusCode === 413) return new StorageError('TOO_LARGE', message);
  return new StorageError('NOT_SUPPORTED', message);
}
