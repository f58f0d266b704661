import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { fileOf } from './file/place.ts';
import { shownPlace } from './shown-place.ts';
import { StorageError } from './storage.ts';

const SCHEME = /^(s3|https?|file):\/\//i;

/** Whether a text names a place of ours: `s3://`, `http://`, `https://` or `file://`. */
export function isPlace(text: string): boolean {
  return SCHEME.test(text);
}

interface Prefix {
  /** In its normal spelling, without a `/` at its end. */
  readonly text: string;
  /** The folder that it names; undefined for other schemes. */
  readonly folder: string | undefined;
}

/**
 * The places that jobs and requests may name, as STORAGE_PLACES lists them: `s3://bucket/results/`, `https://host/`, `file:///data/`. Each stands for
 * itself and all that lies below it; `s3://bucket/in` does not stand for `s3://bucket/inner`.
 */
export class Places {
  readonly #prefixes: readonly Prefix[];

  /** Throws a BAD_PLACE for what is no prefix. */
  constructor(prefixes: readonly string[]) {
    this.#prefixes = prefixes.map(prefixOf);
  }

  /** Whether there is any. */
  get isEmpty(): boolean {
    return this.#prefixes.length === 0;
  }

  /** Whether a place is named by the list. Links in paths of files are not looked at. */
  names(place: string): boolean {
    const plain = normal(place);
    return plain !== undefined && this.#prefixes.some((prefix) => isBelow(plain, prefix.text));
  }

  /** Whether a prefix of the list is at the origin of a URL: the operator trusts that host, whatever its address. */
  hasOrigin({ origin }: URL): boolean {
    return this.#prefixes.some(({ text }) => isBelow(text, origin));
  }

  /** Rejects with BAD_PLACE unless a job or request may name the place; a file must be below its folder when all links are followed, too. */
  async check(place: string): Promise<void> {
    const plain = normal(place);
    const prefix = plain === undefined ? undefined : this.#prefixes.find(({ text }) => isBelow(plain, text));
    if (plain === undefined || prefix === undefined) throw notAllowed(place);
    if (prefix.folder === undefined) return;
    const [file, folder] = await Promise.all([realOf(fileOf(place)), realOf(prefix.folder)]);
    if (file !== folder && !file.startsWith(folder.endsWith(path.sep) ? folder : `${folder}${path.sep}`))
      throw notAllowed(place);
  }
}

function notAllowed(place: string): StorageError {
  return new StorageError('BAD_PLACE', `${shownPlace(place)}: the server may not use this place (STORAGE_PLACES).`);
}

function prefixOf(text: string): Prefix {
  const plain = normal(text);
  if (plain === undefined || /[?#]/.test(text))
    throw new StorageError(
      'BAD_PLACE',
      `${shownPlace(text)}: expected s3://bucket/..., https://host/... or file:///...`,
    );
  return {
    text: plain.replace(/\/+$/, ''),
    folder: plain.startsWith('file:') ? fileOf(plain) : undefined,
  };
}

/** A place in the spelling that is compared, without its query; undefined if it is none, or if a part of its path could lead upwards. */
function normal(place: string): string | undefined {
  if (!SCHEME.test(place)) return undefined;
  if (/^s3:/i.test(place)) {
    const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)(\/.*)?$/is.exec(place) ?? [];
    return bucket === '' || leadsUpwards(key) ? undefined : `s3://${bucket}${key}`;
  }
  const url = URL.canParse(place) ? new URL(place) : undefined;
  if (url === undefined || url.username !== '' || url.password !== '' || leadsUpwards(url.pathname)) return undefined;
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** Some servers unescape a path before they resolve it. */
function leadsUpwards(pathname: string): boolean {
  const unescaped = pathname.replace(/%2e/gi, '.').replace(/%2f|%5c|\\/gi, '/');
  return unescaped.split('/').some((part) => part === '..' || part === '.');
}

function isBelow(plain: string, prefix: string): boolean {
  return plain === prefix || plain.startsWith(`${prefix}/`);
}

/** The path with its links followed, as far as it is there. */
async function realOf(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(await realOf(parent), path.basename(file));
  }
}
