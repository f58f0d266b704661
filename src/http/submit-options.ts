import { ServerError } from '../errors.ts';
import type { SubmitOptions } from '../serving/submit.ts';
import { header, type Exchange } from './exchange.ts';

/** `X-Request-Timeout-Ms` shortens the time limit; `X-Request-Priority` is 1 (highest) to 3. Throws BAD_REQUEST. */
export function submitOptions({ request, cancellation }: Exchange): SubmitOptions {
  const timeoutMs = wholeNumber(header(request, 'x-request-timeout-ms'), {
    name: 'X-Request-Timeout-Ms',
    most: 86_400_000,
  });
  const priority = wholeNumber(header(request, 'x-request-priority'), { name: 'X-Request-Priority', most: 3 });
  return {
    cancellation,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(priority === undefined ? {} : { priority }),
  };
}

function wholeNumber(value: string | undefined, { name, most }: { name: string; most: number }): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^\d{1,9}$/.test(value) || number < 1 || number > most)
    throw new ServerError('BAD_REQUEST', `${name} must be a whole number from 1 to ${most}.`);
  return number;
}
