import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Config } from '../config/options.ts';
import { ServerError } from '../errors.ts';
import { isLoopbackHost } from './management.ts';

/** Names by which the server lets itself be called. */

/** The name that a Host header has, without its port, the brackets of IPv6 and the dot of the root. */
export function nameOfHost(host: string): string {
  return host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}

type HostRefusal = (request: IncomingMessage) => ServerError | undefined;

/**
 * Refuses requests under names that are not the server's own. A page that points a name of its own to an address of this machine (DNS rebinding) is of the same origin
 * as what answers there, so no browser keeps it from a server that only this machine reaches. Undefined where every name will do: on other addresses, unless
 * ALLOWED_HOSTS says which.
 */
export function checkHosts({ HOST, ALLOWED_HOSTS }: Pick<Config, 'HOST' | 'ALLOWED_HOSTS'>): HostRefusal | undefined {
  if (ALLOWED_HOSTS.includes('*') || (ALLOWED_HOSTS.length === 0 && !isLoopbackHost(HOST))) return undefined;
  const allowed = new Set(ALLOWED_HOSTS.map(nameOfHost));
  // Clients send the same one with each request.
  let lastAllowed = '';
  return ({ headers: { host } }) => {
    // HTTP/1.0 has none, and no browser speaks it.
    if (host === undefined || host === lastAllowed) return undefined;
    const name = nameOfHost(host);
    if (allowed.has(name) || isOwnName(name)) {
      lastAllowed = host;
      return undefined;
    }
    return new ServerError(
      'FORBIDDEN',
      `This server is not called ${name.slice(0, 80)}. If it is meant to be, name it in ALLOWED_HOSTS.`,
    );
  };
}

function isOwnName(name: string): boolean {
  return name.endsWith('.localhost') || (isIP(name) === 0 ? name === 'localhost' : isLoopbackHost(name));
}
