import { asError } from '../errors.ts';
import { StorageError, type StorageErrorKind } from './storage.ts';

const KINDS: Readonly<Record<string, readonly [StorageErrorKind, string]>> = {
  ENOENT: ['NOT_FOUND', 'there is nothing'],
  EACCES: ['FORBIDDEN', 'this is not allowed'],
  EPERM: ['FORBIDDEN', 'this is not allowed'],
  EROFS: ['FORBIDDEN', 'the disk is read-only'],
  EEXIST: ['EXISTS', 'there is something already'],
  EISDIR: ['BAD_PLACE', 'it is a folder'],
  ENOTDIR: ['BAD_PLACE', 'a part of it is a file'],
  ENAMETOOLONG: ['BAD_PLACE', 'the name is too long'],
  ELOOP: ['BAD_PLACE', 'its links lead nowhere'],
  ERR_INVALID_ARG_VALUE: ['BAD_PLACE', 'no file can have this name'],
  ENOSPC: ['UNAVAILABLE', 'the disk is full'],
  EDQUOT: ['UNAVAILABLE', 'the disk is full'],
};

/** Whether something failed because the disk, or what its quota leaves of it, is full. */
export function isDiskFull(error: unknown): boolean {
  return [error, error instanceof Error ? error.cause : undefined].some(
    (one) => one instanceof Error && 'code' in one && (one.code === 'ENOSPC' || one.code === 'EDQUOT'),
  );
}

/** The StorageError for an error of the disk; `shown` names the place. Other errors are returned as they are. */
export function diskError(thrown: unknown, shown: string): Error {
  const error = asError(thrown);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (error instanceof StorageError || code === undefined) return error;
  const [kind, what] =
    KINDS[code] ?? (/^E[A-Z\d]+$/.test(code) ? (['UNAVAILABLE', `the disk fails (${code})`] as const) : []);
  return kind === undefined ? error : new StorageError(kind, `${shown}: ${what}`, { cause: error });
}
