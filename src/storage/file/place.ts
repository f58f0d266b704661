import { fileURLToPath } from 'node:url';
import { StorageError } from '../storage.ts';

/** The absolute path of `file:///...`. Throws BAD_PLACE for what is no such URL; a `?` or `#` in a name is written `%3F` or `%23`. */
export function fileOf(place: string): string {
  const url = URL.canParse(place) ? new URL(place) : undefined;
  if (url?.protocol === 'file:' && url.host === '' && url.search === '' && url.hash === '') {
    try {
      const file = fileURLToPath(url);
      if (!file.includes('\0')) return file;
    } catch {
      // An encoded slash, which no name holds.
    }
  }
  throw new StorageError('BAD_PLACE', 'A file must be named file:///<absolute path>.');
}
