import type { IncomingMessage, ServerResponse } from 'node:http';

/** Lets pages of other origins read replies (https://fetch.spec.whatwg.org/#http-cors-protocol). Cookies are no part of it. */

/** What a page may read of a reply's headers, besides those that it always may. */
const EXPOSED = [
  'Content-Encoding',
  'Inference-Header-Content-Length',
  'Retry-After',
  'Retry-After-Ms',
  'Server-Timing',
  'X-Batch-Size',
  'X-Ignored-Fields',
  'X-Lane',
  'X-Model-Version',
  'X-Request-Id',
  'X-Should-Retry',
].join(', ');
/** How long a browser keeps the answer to a preflight; Chromium takes no more than two hours. */
const PREFLIGHT_SECONDS = 7200;
const TOKENS = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;

/** Marks replies for the pages of these origins (`*`: of all); does nothing where there are none. */
export function allowOrigins(
  origins: readonly string[],
): ((request: IncomingMessage, response: ServerResponse) => void) | undefined {
  if (origins.length === 0) return undefined;
  const all = origins.includes('*');
  return ({ headers }, response) => {
    const { origin } = headers;
    // Caches keep one reply for all origins otherwise.
    if (!all) response.setHeader('Vary', 'Origin');
    if (origin === undefined || !(all || origins.includes(origin))) return;
    response.setHeader('Access-Control-Allow-Origin', all ? '*' : origin);
    response.setHeader('Access-Control-Expose-Headers', EXPOSED);
  };
}

/** Whether a browser asks before the request itself, for a page of an origin that is allowed. */
export function isAllowedPreflight({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
  const isAsked = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
  return isAsked && response.hasHeader('Access-Control-Allow-Origin');
}

/** Answers a browser's question before the request itself, where its origin is allowed: with the methods of the path, and any headers. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, methods: string): void {
  if (!isAllowedPreflight(request, response)) return;
  const { headers } = request;
  response.removeHeader('Access-Control-Expose-Headers');
  response.setHeader('Access-Control-Allow-Methods', methods);
  const wanted = headers['access-control-request-headers'];
  if (wanted !== undefined && TOKENS.test(wanted)) response.setHeader('Access-Control-Allow-Headers', wanted);
  response.setHeader('Access-Control-Max-Age', PREFLIGHT_SECONDS);
  // A page of the internet asks for an address of the local network (https://wicg.github.io/private-network-access/).
  if (headers['access-control-request-private-network'] === 'true')
    response.setHeader('Access-Control-Allow-Private-Network', 'true');
}
