import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Config } from '../config/options.ts';
import { ServerError } from '../errors.ts';

/** Who may load and unload models, beside what their API key is for: the check is by where a request comes from, and whether a web page sent it. */

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Proxies add at least one of these headers: a request through a proxy on this machine comes from elsewhere. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'];

type ManagementOptions = Pick<Config, 'MANAGEMENT' | 'CORS_ORIGINS'>;

/** For every route that loads or unloads: throws FORBIDDEN for a request that may not. */
export function checkManagement(request: IncomingMessage, { MANAGEMENT, CORS_ORIGINS }: ManagementOptions): void {
  if (MANAGEMENT === 'off') throw forbidden('Management is switched off (MANAGEMENT=off).');
  if (MANAGEMENT === 'loopback') {
    const why = notFromHere(request);
    if (why !== undefined)
      throw forbidden(`Management is taken from this machine alone, and ${why}; MANAGEMENT=any allows it.`);
  }
  if (isOfAnotherSite(request, CORS_ORIGINS))
    throw forbidden('Management is not taken from pages of another origin, but for those that CORS_ORIGINS names.');
}

/** Whether a request comes from a program on this machine, and neither through a proxy nor from a web page of another name. */
export function isFromHere(request: IncomingMessage): boolean {
  return notFromHere(request) === undefined;
}

function forbidden(message: string): ServerError {
  return new ServerError('FORBIDDEN', message);
}

function notFromHere({ socket, headers }: IncomingMessage): string | undefined {
  const { remoteAddress = '' } = socket;
  if (!isLoopback(remoteAddress)) return `the request comes from ${remoteAddress}`;
  const forwarded = FORWARDED.find((name) => headers[name] !== undefined);
  if (forwarded !== undefined) return `a proxy has passed the request on (header ${forwarded})`;
  // A web page may point its own name to this machine (DNS rebinding), but only a name that can be registered.
  if (!isNameOfHere(headers.host ?? '')) return `the Host header is the name of another one (${headers.host ?? ''})`;
  return undefined;
}

/** Whether a server that listens on HOST is reached from this machine alone. */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopback(host);
}

/** An IPv4 address may come in the form of IPv6 (::ffff:127.0.0.1). */
function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

function isNameOfHere(host: string): boolean {
  const name = host.replace(/:\d*$/, '').toLowerCase();
  return name.startsWith('[') || isIP(name) !== 0 || !name.includes('.') || name.endsWith('.localhost');
}

/**
 * Whether a browser sends the request for a page of another origin (https://www.w3.org/TR/fetch-metadata/). To an address that browsers do not
 * trust they send only `Origin`, which must then be the server's own. Other clients send neither header.
 */
function isOfAnotherSite({ headers }: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host = '' } = headers;
  if (origin !== undefined && allowed.includes(origin)) return false;
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== hostWithoutPort(host, new URL(origin).protocol);
}

/** The Host header as in a URL: in lower case, without the default port of the scheme. */
function hostWithoutPort(host: string, protocol: string): string {
  return host.toLowerCase().replace(protocol === 'https:' ? /:443$/ : /:80$/, '');
}
