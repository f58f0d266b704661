import type { Answer, AnswerStream, Compression } from '../dialects/shared/operation.ts';
import { ServerError } from '../errors.ts';
import type { Entry } from '../serving/call.ts';
import { readBody } from './body.ts';
import { chooseEncoding, LEAST_COMPRESSED_BYTES } from './encoding.ts';
import { EventStream } from './event-stream.ts';
import type { Exchange } from './exchange.ts';
import { header } from './headers.ts';
import type { Services } from './services.ts';

const LONGEST_TIMEOUT_MS = 86_400_000;

/** Serves a request over HTTP that the door has let in: reads its body, and sends the answer whole or as events. */
export async function serveOperation(exchange: Exchange, services: Services, entry: Entry): Promise<void> {
  const { door } = services;
  const { request } = exchange;
  readTimeLimit(exchange);
  if (entry.model !== undefined) exchange.serveWith(entry.model);
  const priority = readPriority(exchange);
  const { bytes: body, release } = await readBody(request, limitsOf(exchange, services, entry.operation.mostBodyBytes));
  exchange.releaseLater(release);
  exchange.stages?.add('body', exchange.deadline.startMs, exchange.deadline.startMs + exchange.elapsedMs);
  let stream: EventStream | undefined;
  let events: AnswerStream | undefined;
  const call = {
    requester: exchange,
    body,
    contentType: request.headers['content-type'],
    jsonLength: header(request, 'inference-header-content-length'),
    accept: request.headers.accept,
    priority,
    openStream(answer: AnswerStream) {
      events = answer;
      return (stream = new EventStream(exchange, answer));
    },
  };
  try {
    const answer = await door.walk(entry, call);
    if (stream === undefined) {
      const sending = reply(exchange, answer, entry.operation.compression);
      if (sending !== undefined) await sending;
    }
  } catch (thrown) {
    // Before the first event an error has a status; after it, the error is the last event.
    if (stream?.isOpen !== true) {
      stream?.abandon();
      throw thrown;
    }
    const error = exchange.note(thrown);
    if (stream.isOfBytes) {
      stream.breakOff();
      return;
    }
    stream.send(events?.fail?.(error) ?? [JSON.stringify(exchange.dialect.tellStreamError(error))]);
  }
  stream?.end();
}

/** Compressing takes a promise; without it the answer is sent at once. */
function reply(exchange: Exchange, answer: Answer, compression: Compression | undefined): Promise<void> | undefined {
  if (compression === undefined) {
    exchange.send(answer);
    return undefined;
  }
  const accepted = header(exchange.request, 'accept-encoding');
  // Uncompressed answers have the header, too, because other clients would get them compressed (RFC 9110 12.5.5).
  const vary = 'Accept-Encoding';
  if (accepted !== undefined && !isPacked(answer, compression))
    return exchange.reply({ ...answer, coding: chooseEncoding(accepted, compression.codings) }, vary);
  exchange.send(answer, vary);
  return undefined;
}

/** Whether an answer is not worth compressing. */
function isPacked({ contentType, chunks }: Answer, { mostBytes = Infinity }: Compression): boolean {
  if (contentType.startsWith('image/')) return true;
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.byteLength;
  return bytes > mostBytes || bytes < LEAST_COMPRESSED_BYTES;
}

/** Limits of a request's body: those of the server and of the operation. */
export function limitsOf(
  { cancellation, deadline }: Exchange,
  { config, budget }: Pick<Services, 'config' | 'budget'>,
  mostBytes = Infinity,
): Parameters<typeof readBody>[1] {
  return { limitBytes: Math.min(config.BODY_LIMIT_BYTES, mostBytes), budget, cancellation, deadline };
}

/** `X-Request-Timeout-Ms` shortens the time of the request; it counts from the request's beginning. Throws BAD_REQUEST. */
export function readTimeLimit({ request, deadline }: Exchange): void {
  const value = header(request, 'x-request-timeout-ms');
  if (value !== undefined)
    deadline.shorten(wholeNumber(value, { name: 'X-Request-Timeout-Ms', most: LONGEST_TIMEOUT_MS }));
}

/** `X-Request-Priority` is 1 (highest) to 3; without it that of the API key counts. Throws BAD_REQUEST. */
export function readPriority({ request, key }: Exchange): number | undefined {
  const value = header(request, 'x-request-priority');
  return value === undefined ? key?.priority : wholeNumber(value, { name: 'X-Request-Priority', most: 3 });
}

function wholeNumber(value: string, { name, most }: { name: string; most: number }): number {
  const number = Number(value);
  if (!/^\d{1,9}$/.test(value) || number < 1 || number > most)
    throw new ServerError('BAD_REQUEST', `${name} must be a whole number from 1 to ${most}.`);
  return number;
}
