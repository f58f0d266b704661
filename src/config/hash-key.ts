import { randomBytes } from 'node:crypto';
import { digestOfKey } from './api-keys.ts';
import { JSON_FLAG, type CommandSpec } from './command.ts';

export const HASH_KEY: CommandSpec = {
  name: 'hash-key',
  summary: 'makes an API key, or the hash of one',
  uses: ['[name]', '[name] < file'],
  about: [
    'Makes a new API key, and prints it with its entry of API_KEYS; with a key on standard input, prints the entry of that one.',
    'Keys are never arguments: other users of this machine can read those.',
  ],
  flags: { json: JSON_FLAG },
  takesOptions: false,
  operand: 'text',
  exitCodes: '0, or 2 for bad usage.',
};

/** Easy to find for programs that look for keys in public text. */
const PREFIX = 'cp-';
const BYTES = 32;

export interface HashedKey {
  /** Absent: it was given. */
  readonly key?: string;
  /** Of API_KEYS. */
  readonly entry: string;
}

/** The entry of a key that is given, or a new key with its entry. Line ends around a key are not part of it. */
export function hashKey(name: string, given: string | undefined): HashedKey {
  if (given !== undefined) return { entry: `${name}:${digestOfKey(given.replace(/^[\r\n]+|[\r\n]+$/g, ''))}` };
  const key = PREFIX + randomBytes(BYTES).toString('base64url');
  return { key, entry: `${name}:${digestOfKey(key)}` };
}

/** What `carpool hash-key` prints. */
export function hashedText({ key, entry }: HashedKey): string {
  return key === undefined ? entry : `key    ${key}\nentry  ${entry}`;
}
