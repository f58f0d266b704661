import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyEntry, Scope } from '../../config/api-keys.ts';
import { KeyUsage } from './usage.ts';

/** Longer texts are no keys of ours. */
const MOST_CHARACTERS = 512;

/** A key in force. */
export interface ApiKey {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  readonly priority: number | undefined;
  /** Shared with the keys of the same name before and after the list was changed. */
  readonly usage: KeyUsage;
}

interface Known {
  readonly digest: Uint8Array;
  readonly key: ApiKey | undefined;
}

/** Compared with where no key is found, so that an unknown key takes as long as a known one. */
const NOBODY: Known = { digest: randomBytes(32), key: undefined };

/**
 * The keys in force, found by a hash of their digests with a secret of this process: how long that takes tells nothing that a client could choose
 * keys by. The digest itself is then compared in constant time.
 */
export class Keyring {
  readonly #secret = randomBytes(32);
  readonly #known = new Map<string, Known>();
  readonly #usages = new Map<string, KeyUsage>();

  /** `before`: the keys until now, whose use still counts. */
  constructor(entries: readonly KeyEntry[], before?: Keyring) {
    for (const { name, sha256, scopes, priority, ...limits } of entries) {
      const usage = before?.usageOf(name) ?? new KeyUsage({});
      usage.change(limits);
      this.#usages.set(name, usage);
      const key = { name, scopes: new Set(scopes), priority, usage };
      for (const hex of sha256) {
        const digest = Buffer.from(hex, 'hex');
        this.#known.set(this.#placeOf(digest), { digest, key });
      }
    }
  }

  /** How many keys there are, by name. */
  get count(): number {
    return this.#usages.size;
  }

  /** What the key of that name has used. */
  usageOf(name: string): KeyUsage | undefined {
    return this.#usages.get(name);
  }

  /** The key whose text this is, as Node reads a header: a character for each byte. */
  find(text: string): ApiKey | undefined {
    if (text.length > MOST_CHARACTERS) return undefined;
    const digest = hash('sha256', Buffer.from(text, 'latin1'), 'buffer');
    const known = this.#known.get(this.#placeOf(digest)) ?? NOBODY;
    return timingSafeEqual(digest, known.digest) ? known.key : undefined;
  }

  #placeOf(digest: Uint8Array): string {
    return hash('sha256', Buffer.concat([this.#secret, digest]), 'base64url');
  }
}
