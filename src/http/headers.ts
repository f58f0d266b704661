import type { IncomingMessage } from 'node:http';
import type { ServerError } from '../errors.ts';
import type { RequestTiming } from '../serving/timing.ts';

/** What heads of requests say, and what those of replies do. */

/** When a refused request may come again, or what it must bring (RFC 6750 3). */
export function refusalHeaders({ retryAfterMs, code, reason }: ServerError): Record<string, string | number> {
  if (code === 'UNAUTHORIZED')
    return { 'WWW-Authenticate': `Bearer realm="carpool"${reason === undefined ? '' : ', error="invalid_token"'}` };
  if (retryAfterMs === undefined) return {};
  return { 'Retry-After': Math.max(1, Math.ceil(retryAfterMs / 1000)), 'Retry-After-Ms': Math.ceil(retryAfterMs) };
}

/** Adds how the time of a request was spent (https://www.w3.org/TR/server-timing/), and who has served it. */
export function addTiming(
  head: Record<string, string | number>,
  { prepareMs, queueMs, stackMs, splitMs, runMs, finishMs, batchItems, lanes }: RequestTiming,
  { elapsedMs, model }: { readonly elapsedMs: number; readonly model: { readonly version: string } | undefined },
): void {
  const batchMs = stackMs + splitMs;
  head['Server-Timing'] =
    `prepare;dur=${prepareMs.toFixed(2)}, queue;dur=${queueMs.toFixed(2)}, batch;dur=${batchMs.toFixed(2)}, ` +
    `run;dur=${runMs.toFixed(2)}, finish;dur=${finishMs.toFixed(2)}, total;dur=${elapsedMs.toFixed(2)}`;
  head['X-Batch-Size'] = batchItems;
  head['X-Lane'] = [...lanes].join(',');
  if (model !== undefined) head['X-Model-Version'] = model.version;
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

/** Most names that a header lists, and most letters of one. */
const MOST_NAMES = 20;
const MOST_LETTERS = 40;

/** Names as a header takes them: without control characters, and without commas. */
export function namesForHeader(names: readonly string[]): string[] {
  return names.slice(0, MOST_NAMES).map((name) => name.slice(0, MOST_LETTERS).replaceAll(/[^\w.[\]-]/g, '?'));
}
