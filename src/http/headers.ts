import type { IncomingMessage } from 'node:http';
import type { ServerError } from '../errors.ts';

/** What heads of requests say, and what heads of refusals do. */

/** When a refused request may come again. */
export function retryHeaders({ retryAfterMs }: ServerError): Record<string, number> {
  if (retryAfterMs === undefined) return {};
  return { 'Retry-After': Math.max(1, Math.ceil(retryAfterMs / 1000)), 'Retry-After-Ms': Math.ceil(retryAfterMs) };
}

/** The job of SaladCloud's queue that a request is. */
export function jobIdOf(request: IncomingMessage): string | undefined {
  return header(request, 'salad-job-id')?.slice(0, 128);
}

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** A header that may be sent once; of several the first counts. */
export function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
