import type { IncomingMessage } from 'node:http';
import { parseKeys, readKeysFile, type Scope } from '../../config/api-keys.ts';
import type { Config } from '../../config/options.ts';
import { ServerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import { isOnSalad } from '../../salad/node.ts';
import { jobIdOf } from '../headers.ts';
import { isFromHere } from '../management.ts';
import { WatchedFiles } from '../watched-files.ts';
import { credentialsOf } from './credentials.ts';
import { Keyring, type ApiKey } from './keyring.ts';

/** Options that keys depend on. */
type KeyConfig = Pick<
  Config,
  'API_KEY' | 'API_KEYS' | 'API_KEYS_FILE' | 'SALAD_MACHINE_ID' | 'SALAD_CONTAINER_GROUP_ID'
>;

interface KeyParts {
  readonly config: KeyConfig;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'keyRefusals'>;
}

const MISSING = new ServerError(
  'UNAUTHORIZED',
  'An API key is missing: send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`.',
);
const UNKNOWN = new ServerError('UNAUTHORIZED', 'The API key is not valid.', { reason: 'invalid_api_key' });

/** Who may ask for what, once there are keys. */
export class Keys {
  readonly #parts: KeyParts;
  readonly #byRequest = new WeakMap<IncomingMessage, ApiKey>();
  #ring: Keyring;
  #file: WatchedFiles | undefined;

  private constructor(parts: KeyParts) {
    this.#parts = parts;
    this.#ring = new Keyring(parseKeys(parts.config));
  }

  /** The keys of the configuration; undefined if it has none. Rejects where API_KEYS_FILE cannot be read or is no good. */
  static async open(parts: KeyParts): Promise<Keys | undefined> {
    const { API_KEY, API_KEYS, API_KEYS_FILE: file } = parts.config;
    if (API_KEY === '' && API_KEYS.length === 0 && file === '') return undefined;
    const keys = new Keys(parts);
    if (file !== '')
      keys.#file = await WatchedFiles.open({
        files: [file],
        names: 'API_KEYS_FILE',
        take: ([content]) => keys.#take(content?.toString() ?? ''),
        log: parts.log,
      });
    return keys;
  }

  get count(): number {
    return this.#ring.count;
  }

  /** Reads API_KEYS_FILE again if it has changed. */
  async refresh(): Promise<void> {
    await this.#file?.look();
  }

  close(): void {
    this.#file?.close();
  }

  /**
   * Lets a request in, any where the path is open, or says why not: UNAUTHORIZED, RATE_LIMITED, QUOTA_EXCEEDED. Nothing of its body is read. What a browser asks before a request of a page has no
   * key (https://fetch.spec.whatwg.org/#cors-protocol-and-credentials), nor have the jobs that SaladCloud's worker brings from this very container. Those are operations: what has an owner
   * is not for a request that names none.
   */
  refusal(
    request: IncomingMessage,
    { isOpen, isOperation }: { readonly isOpen: boolean; readonly isOperation: boolean },
  ): ServerError | undefined {
    const { method } = request;
    if (method === 'OPTIONS' || (isOperation && this.#isJob(request))) return undefined;
    const key = this.#identify(request);
    if (key instanceof ServerError) return isOpen ? undefined : key;
    this.#byRequest.set(request, key);
    const refusal = method === 'POST' ? key.usage.refusal() : undefined;
    if (refusal !== undefined) this.#parts.metrics.keyRefusals.inc({ key: key.name, reason: refusal.code });
    return refusal;
  }

  /** FORBIDDEN where the key of a request that was let in lacks the scope; UNAUTHORIZED where it has none. */
  scopeRefusal(request: IncomingMessage, scope: Scope | 'any'): ServerError | undefined {
    const key = this.keyOf(request);
    if (key === undefined) return this.#isJob(request) && scope === 'infer' ? undefined : MISSING;
    if (scope === 'any' || key.scopes.has(scope)) return undefined;
    this.#parts.metrics.keyRefusals.inc({ key: key.name, reason: 'FORBIDDEN' });
    return new ServerError('FORBIDDEN', `The API key is not for this: it lacks the scope ${scope}.`, {
      reason: 'insufficient_scope',
    });
  }

  /** The key that a request was let in by. */
  keyOf(request: IncomingMessage): ApiKey | undefined {
    return this.#byRequest.get(request);
  }

  #identify(request: IncomingMessage): ApiKey | ServerError {
    const credentials = credentialsOf(request);
    if ('twice' in credentials)
      return new ServerError('BAD_REQUEST', `A request must not have more than one ${credentials.twice} header.`);
    const { texts } = credentials;
    let key: ApiKey | undefined;
    // All are looked up, whichever is known: the first that is counts.
    for (const text of texts) {
      const found = this.#ring.find(text);
      key ??= found;
    }
    return key ?? (texts.length === 0 ? MISSING : UNKNOWN);
  }

  /** The worker can send no key. Elsewhere than on SaladCloud the header would be a way around keys behind a proxy that does not tell of itself. */
  #isJob(request: IncomingMessage): boolean {
    return jobIdOf(request) !== undefined && isOnSalad(this.#parts.config) && isFromHere(request);
  }

  #take(text: string): void {
    const others = parseKeys(this.#parts.config);
    this.#ring = new Keyring([...others, ...readKeysFile(text, others)], this.#ring);
  }
}
