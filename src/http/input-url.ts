import { parse } from 'content-type';
import { Agent, request, type Dispatcher } from 'undici';
import { ServerError } from '../errors.ts';
import { Guard, MOST_REDIRECTS, REDIRECTS, type GuardOptions } from '../outbound/guard.ts';
import { GrowingBytes, type MemoryAccount } from './growing-bytes.ts';

/** Fetches what a client names by URL instead of sending it. */

export interface FetchLimits extends GuardOptions {
  readonly limitBytes: number;
  /** The memory of what arrives is taken from it; if it throws, the fetch ends with that error. */
  readonly account?: MemoryAccount;
  /** Ends it early. */
  readonly signal?: AbortSignal;
  /** For the whole fetch: look-ups, connections, redirects, body. */
  readonly timeoutMs: number;
  /** Of the trace that the fetch is part of: https://www.w3.org/TR/trace-context/ */
  readonly traceparent?: string | undefined;
}

export interface FetchedInput {
  readonly bytes: Uint8Array;
  /** In lower case, without parameters; '' if the server named none. */
  readonly contentType: string;
}

/**
 * Fetches the content of a URL. Throws INVALID_INPUT for a URL that is not http or https, for an address that is not allowed, and for every failure
 * on the way; TOO_LARGE above `limitBytes`. Messages reveal nothing about a network except the status of an answer.
 */
export async function fetchInput(url: string, limits: FetchLimits): Promise<FetchedInput> {
  const guard = new Guard(limits);
  // AbortSignal.timeout takes only whole numbers.
  const late = AbortSignal.timeout(Math.ceil(limits.timeoutMs));
  const signal = limits.signal === undefined ? late : AbortSignal.any([late, limits.signal]);
  const agent = new Agent({ connect: { lookup: guard.lookup(signal) } });
  try {
    const { traceparent } = limits;
    let target = guard.url(url);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
      const answer = await request(target, {
        dispatcher: agent,
        signal,
        // A compressed answer would have to be unpacked within the limit, and images are compressed already.
        headers: {
          accept: '*/*',
          'accept-encoding': 'identity',
          'user-agent': 'carpool',
          ...(traceparent === undefined ? {} : { traceparent }),
        },
      });
      const { location } = answer.headers;
      if (!REDIRECTS.has(answer.statusCode) || typeof location !== 'string') return await read(answer, limits);
      // The body is not read: its connection ends with the agent.
      answer.body.on('error', () => undefined).destroy();
      target = guard.url(location, target);
    }
    throw new ServerError('INVALID_INPUT', 'The URL leads to too many redirects.');
  } catch (error) {
    throw limits.signal?.aborted === true ? new ServerError('CANCELLED') : asServerError(error, late);
  } finally {
    await agent.destroy();
  }
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
