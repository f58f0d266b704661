import { randomBytes } from 'node:crypto';
import { digestOfKey } from './api-keys.ts';

export const HASH_KEY_USAGE = [
  'Usage: carpool hash-key [name]           makes a new API key, and prints it with its entry of API_KEYS',
  '       carpool hash-key [name] < file    prints the entry of the key on standard input',
  'Keys are never arguments: other users of this machine can read those.',
].join('\n');

/** Easy to find for programs that look for keys in public text. */
const PREFIX = 'cp-';
const BYTES = 32;

/** What `carpool hash-key` prints: of a key that is given, or of a new one. Line ends around it are not part of it. */
export function hashKey(name: string, given: string | undefined): string {
  if (given !== undefined) return `${name}:${digestOfKey(given.replace(/^[\r\n]+|[\r\n]+$/g, ''))}`;
  const key = PREFIX + randomBytes(BYTES).toString('base64url');
  return `key    ${key}\nentry  ${name}:${digestOfKey(key)}`;
}
