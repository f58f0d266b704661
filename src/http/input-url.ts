import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { parse } from 'content-type';
import { Agent, request, type Dispatcher } from 'undici';
import { ServerError } from '../errors.ts';
import { GrowingBytes, type MemoryAccount } from './growing-bytes.ts';
import { resolveBySystem, resolvePublic } from './host-names.ts';
import { isPublicAddress } from './public-address.ts';

/**
 * Fetches what a client names by URL instead of sending it. The client chooses the address, so the server must not be made to reach
 * what only it can reach (SSRF): every address is checked when the connection to it is made, redirects included.
 */

export interface FetchLimits {
  readonly limitBytes: number;
  /** The memory of what arrives is taken from it; if it throws, the fetch ends with that error. */
  readonly account?: MemoryAccount;
  /** Ends it early. */
  readonly signal?: AbortSignal;
  /** For the whole fetch: look-ups, connections, redirects, body. */
  readonly timeoutMs: number;
  /** Whether addresses of this machine and its networks are allowed too. */
  readonly allowPrivate: boolean;
  /** Which addresses may be reached; default: as `allowPrivate` says. */
  readonly allows?: (address: string) => boolean;
  /** Default: the system's. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
}

export interface FetchedInput {
  readonly bytes: Uint8Array;
  /** In lower case, without parameters; '' if the server named none. */
  readonly contentType: string;
}

const MOST_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches the content of a URL. Throws INVALID_INPUT for a URL that is not http or https, for an address that is not allowed, and for every failure
 * on the way; TOO_LARGE above `limitBytes`. Messages reveal nothing about a network except the status of an answer.
 */
export async function fetchInput(url: string, limits: FetchLimits): Promise<FetchedInput> {
  const allows = limits.allows ?? (limits.allowPrivate ? () => true : isPublicAddress);
  // AbortSignal.timeout takes only whole numbers.
  const late = AbortSignal.timeout(Math.ceil(limits.timeoutMs));
  const signal = limits.signal === undefined ? late : AbortSignal.any([late, limits.signal]);
  const resolve = limits.resolve ?? (limits.allowPrivate ? resolveBySystem : resolvePublic);
  const agent = new Agent({ connect: { lookup: guardedLookup({ allows, resolve, signal }) } });
  try {
    let target = checkedUrl(url, allows);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
      const answer = await request(target, {
        dispatcher: agent,
        signal,
        // A compressed answer would have to be unpacked within the limit, and images are compressed already.
        headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'carpool' },
      });
      const { location } = answer.headers;
      if (!REDIRECTS.has(answer.statusCode) || typeof location !== 'string') return await read(answer, limits);
      // The body is not read: its connection ends with the agent.
      answer.body.on('error', () => undefined).destroy();
      target = checkedUrl(location, allows, target);
    }
    throw new ServerError('INVALID_INPUT', 'The URL leads to too many redirects.');
  } catch (error) {
    throw limits.signal?.aborted === true ? new ServerError('CANCELLED') : asServerError(error, late);
  } finally {
    await agent.destroy();
  }
}

/** The parsed URL. A numeric address needs no look-up when it is connected to, so it is checked here. */
function checkedUrl(text: string, allows: (address: string) => boolean, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new ServerError('INVALID_INPUT', 'The URL must be an absolute http or https URL.');
  if (url.username !== '' || url.password !== '')
    throw new ServerError('INVALID_INPUT', 'The URL must not hold a user name or a password.');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !allows(host)) throw new NotAllowed();
  return url;
}

class NotAllowed extends ServerError {
  constructor() {
    super('INVALID_INPUT', 'The URL leads to an address that this server does not fetch from.');
  }
}

interface LookupParts {
  readonly allows: (address: string) => boolean;
  readonly resolve: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** Ends the fetch; undici ends a request only when its connection has been made or has failed. */
  readonly signal: AbortSignal;
}

/** The look-up that a connection uses: the checked address is the one connected to, whatever the name resolves to a moment later. */
function guardedLookup({ allows, resolve, signal }: LookupParts): LookupFunction {
  return (hostname, options, callback) => {
    orAborted(resolve(hostname), signal).then(
      (addresses) => {
        const [first] = addresses;
        // If one address of a name is not allowed, its others are not trusted either.
        if (first === undefined || !addresses.every(({ address }) => allows(address)))
          callback(new NotAllowed(), '', 0);
        else if (options.all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, '', 0),
    );
  };
}

function orAborted<Value>(value: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error('aborted'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function read(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { limitBytes, account }: FetchLimits,
): Promise<FetchedInput> {
  if (statusCode !== 200) throw new ServerError('INVALID_INPUT', `The URL was answered with status ${statusCode}.`);
  const tooLarge = new ServerError('TOO_LARGE', `The content of the URL is larger than ${limitBytes} bytes.`);
  if (Number(headers['content-length'] ?? 0) > limitBytes) throw tooLarge;
  // In a buffer of its own, because it is transferred to other threads.
  const growing = new GrowingBytes({ limitBytes, ...(account === undefined ? {} : { account }) });
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (growing.length + chunk.byteLength > limitBytes) throw tooLarge;
    growing.add(chunk);
  }
  const bytes = growing.whole();
  const header = headers['content-type'];
  const { type } = parse(typeof header === 'string' ? header : '', { parameters: false });
  return { bytes, contentType: type };
}

function asServerError(error: unknown, signal: AbortSignal): ServerError {
  if (error instanceof ServerError) return error;
  const message = signal.aborted ? 'The URL was not answered in time.' : 'The URL could not be fetched.';
  return new ServerError('INVALID_INPUT', message, { cause: error });
}
