import { ServerError } from '../errors.ts';
import type { SubmitOptions } from '../serving/submit.ts';
import { header, type Exchange } from './exchange.ts';

const LONGEST_TIMEOUT_MS = 86_400_000;

/** `X-Request-Timeout-Ms` shortens the time of the request; it counts from the request's beginning. Throws BAD_REQUEST. */
export function readTimeLimit({ request, deadline }: Exchange): void {
  const value = header(request, 'x-request-timeout-ms');
  if (value !== undefined)
    deadline.shorten(wholeNumber(value, { name: 'X-Request-Timeout-Ms', most: LONGEST_TIMEOUT_MS }));
}

/** `X-Request-Priority` is 1 (highest) to 3. Throws BAD_REQUEST. */
export function submitOptions({ request, cancellation, deadline, prepareMs }: Exchange): SubmitOptions {
  const value = header(request, 'x-request-priority');
  if (value === undefined) return { cancellation, deadline, prepareMs };
  return { cancellation, deadline, prepareMs, priority: wholeNumber(value, { name: 'X-Request-Priority', most: 3 }) };
}

function wholeNumber(value: string, { name, most }: { name: string; most: number }): number {
  const number = Number(value);
  if (!/^\d{1,9}$/.test(value) || number < 1 || number > most)
    throw new ServerError('BAD_REQUEST', `${name} must be a whole number from 1 to ${most}.`);
  return number;
}
