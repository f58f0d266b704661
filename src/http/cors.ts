import type { IncomingMessage, ServerResponse } from 'node:http';

/** Lets pages of other origins read replies (https://fetch.spec.whatwg.org/#http-cors-protocol), without cookies. */

/** Headers of replies that a page may read, besides those that it always may. */
const EXPOSED = [
  'Content-Encoding',
  'Inference-Header-Content-Length',
  'Retry-After',
  'Retry-After-Ms',
  'Server-Timing',
  'X-Batch-Size',
  'X-GPU-Name',
  'X-Ignored-Fields',
  'X-Lane',
  'X-Model-ID',
  'X-Model-Version',
  'X-Processing-Time',
  'X-Realtime-Factor',
  'X-Request-Id',
  'X-Salad-Container-Group-ID',
  'X-Salad-Machine-ID',
  'X-Should-Retry',
].join(', ');
/** How long a browser keeps the answer to a preflight; Chromium's maximum is two hours. */
const PREFLIGHT_SECONDS = 7200;
const TOKENS = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;

/** Lets pages of these origins (`*`: all) read the reply; without origins it does nothing. */
export function allowOrigins(
  origins: readonly string[],
): ((request: IncomingMessage, response: ServerResponse) => void) | undefined {
  if (origins.length === 0) return undefined;
  const all = origins.includes('*');
  return ({ headers }, response) => {
    const { origin } = headers;
    // Otherwise caches would keep one reply for all origins.
    if (!all) response.setHeader('Vary', 'Origin');
    if (origin === undefined || !(all || origins.includes(origin))) return;
    response.setHeader('Access-Control-Allow-Origin', all ? '*' : origin);
    response.setHeader('Access-Control-Expose-Headers', EXPOSED);
  };
}

/** Whether a request is a browser's preflight for a page of an allowed origin. */
export function isAllowedPreflight({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
  const isAsked = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
  return isAsked && response.hasHeader('Access-Control-Allow-Origin');
}

/** Answers a preflight of an allowed origin: with the methods of the path, and all headers that it asks for. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, methods: string): void {
  if (!isAllowedPreflight(request, response)) return;
  const { headers } = request;
  response.removeHeader('Access-Control-Expose-Headers');
  response.setHeader('Access-Control-Allow-Methods', methods);
  const wanted = headers['access-control-request-headers'];
  if (wanted !== undefined && TOKENS.test(wanted)) response.setHeader('Access-Control-Allow-Headers', wanted);
  response.setHeader('Access-Control-Max-Age', PREFLIGHT_SECONDS);
  // A public page asks for an address in the local network (https://wicg.github.io/private-network-access/).
  if (headers['access-control-request-private-network'] === 'true')
    response.setHeader('Access-Control-Allow-Private-Network', 'true');
}
