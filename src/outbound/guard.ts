import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { ServerError } from '../errors.ts';
import { resolveBySystem, resolvePublic } from './host-names.ts';
import { isPublicAddress } from './public-address.ts';

/**
 * Keeps requests to URLs that others chose away from what only this server can reach (SSRF): every address is checked when the connection to it is
 * made, redirects included.
 */

export interface GuardOptions {
  /** Whether addresses of this machine and its networks are allowed too. */
  readonly allowPrivate: boolean;
  /** Which addresses may be reached; default: as `allowPrivate` says. */
  readonly allows?: (address: string) => boolean;
  /** Default: the system's. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
}

export const MOST_REDIRECTS = 5;
export const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export class Guard {
  readonly #allows: (address: string) => boolean;
  readonly #resolve: (hostname: string) => Promise<readonly LookupAddress[]>;

  constructor({ allowPrivate, allows, resolve }: GuardOptions) {
    this.#allows = allows ?? (allowPrivate ? () => true : isPublicAddress);
    this.#resolve = resolve ?? (allowPrivate ? resolveBySystem : resolvePublic);
  }

  /**
   * The parsed URL. A numeric address needs no look-up when it is connected to, so it is checked here. Throws INVALID_INPUT for one that is not http or
   * https, that holds credentials, or whose address is not allowed.
   */
  url(text: string, base?: URL): URL {
    const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol))
      throw new ServerError('INVALID_INPUT', 'The URL must be an absolute http or https URL.');
    if (url.username !== '' || url.password !== '')
      throw new ServerError('INVALID_INPUT', 'The URL must not hold a user name or a password.');
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !this.#allows(host)) throw new NotAllowed();
    return url;
  }

  /**
   * The look-up that a connection uses: the checked address is the one connected to, whatever the name resolves to a moment later. The signal ends it,
   * because undici ends a request only when its connection has been made or has failed.
   */
  lookup(signal?: AbortSignal): LookupFunction {
    return (hostname, options, callback) => {
      orAborted(this.#resolve(hostname), signal).then(
        (addresses) => {
          const [first] = addresses;
          // If one address of a name is not allowed, its others are not trusted either.
          if (first === undefined || !addresses.every(({ address }) => this.#allows(address)))
            callback(new NotAllowed(), '', 0);
          else if (options.all === true) callback(null, [...addresses]);
          else callback(null, first.address, first.family);
        },
        (error: unknown) => callback(error as NodeJS.ErrnoException, '', 0),
      );
    };
  }
}

class NotAllowed extends ServerError {
  constructor() {
    super('INVALID_INPUT', 'The URL leads to an address that this server does not fetch from.');
  }
}

function orAborted<Value>(value: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return value;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error('aborted'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
