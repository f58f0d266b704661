import type { IncomingMessage } from 'node:http';
import { ServerError } from '../errors.ts';

/** A valid Host header (RFC 9110 7.2, RFC 3986 3.2.2), except that a comma is refused: it means that a proxy has joined two headers. */
const HOST = /^(?:\[[\da-f:.%]+\]|[\w.~!$&'()*+;=%-]*)(?::\d*)?$/i;
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/is;
/** What may stand before the host of a target in absolute form (RFC 3986 3.2.1). */
const USER = /(?<=^[^/?#]*\/\/)[^/?#]*@/;

/** The last valid Host header, because clients send the same one with each request. */
let lastValidHost = '';

/**
 * Rewrites a request's target to one form, a path with its query, so that every route has the same rules: repeated slashes count as one,
 * and one at the end is dropped. A target in absolute form overrides the Host header (RFC 9112 3.2.2). Returns a BAD_REQUEST for an invalid target
 * or Host header, else undefined.
 */
export function readTarget(request: IncomingMessage): ServerError | undefined {
  const { url = '', method } = request;
  // The path of a refused request is logged too, and what stands before the host may be a password.
  if (!url.startsWith('/')) request.url = url.replace(USER, '');
  const problem = hostProblem(request);
  if (problem !== undefined) return new ServerError('BAD_REQUEST', problem);
  if (url.startsWith('/')) {
    request.url = plainPath(url);
    // Under Express's name: pages need to know of the slash at the end, because addresses in them are relative.
    if (request.url !== url) (request as { originalUrl?: string }).originalUrl ??= url;
    return undefined;
  }
  if (url === '*' && method === 'OPTIONS') return undefined;
  const [, authority = '', rest = ''] = ABSOLUTE.exec(url) ?? [];
  if (authority === '' || !HOST.test(authority))
    return new ServerError('BAD_REQUEST', 'The target of a request must be a path, or an http URL.');
  request.headers.host = authority;
  request.url = plainPath(rest.startsWith('/') ? rest : `/${rest}`);
  return undefined;
}

/** What is wrong with the Host header: RFC 9112 (3.2) demands exactly one valid header, which HTTP/1.0 may leave out. */
function hostProblem({ headers: { host }, rawHeaders, httpVersion }: IncomingMessage): string | undefined {
  if (host === undefined) return httpVersion === '1.1' ? 'A request of HTTP/1.1 must have a Host header.' : undefined;
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  if (count > 1) return 'A request must not have more than one Host header.';
  if (host === lastValidHost) return undefined;
  if (!HOST.test(host)) return 'The Host header must be the name of a host, with its port if it has one.';
  lastValidHost = host;
  return undefined;
}

function plainPath(url: string): string {
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  if (!path.includes('//') && (path.length === 1 || !path.endsWith('/'))) return url;
  const plain = path.replaceAll(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '');
  return end < 0 ? plain : plain + url.slice(end);
}
