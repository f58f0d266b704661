import { readFileSync } from 'node:fs';

/** The version of package.json, two folders above this file's place in dist/src/. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
