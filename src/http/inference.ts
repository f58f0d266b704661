import type { Answer, Compression } from '../dialects/shared/operation.ts';
import { ServerError } from '../errors.ts';
import type { Entry } from '../serving/call.ts';
import { readBody } from './body.ts';
import { chooseEncoding } from './encoding.ts';
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
  const body = await readWhole(exchange, services, entry.operation.mostBodyBytes);
  let stream: EventStream | undefined;
  const call = {
    requester: exchange,
    body,
    contentType: request.headers['content-type'],
    jsonLength: header(request, 'inference-header-content-length'),
    accept: request.headers.accept,
    priority,
    openStream: () => (stream = new EventStream(exchange)),
  };
  try {
    const answer = await door.walk(entry, call);
    if (stream === undefined) await reply(exchange, answer, entry.operation.compression);
  } catch (thrown) {
    // Before the first event an error has a status; after it, the error is the last event.
    if (stream?.isOpen !== true) {
      stream?.abandon();
      throw thrown;
    }
    stream.send([JSON.stringify(exchange.dialect.tellStreamError(exchange.note(thrown)))]);
  }
  stream?.end();
}

function reply(exchange: Exchange, answer: Answer, compression: Compression | undefined): Promise<void> {
  if (compression === undefined) return exchange.reply(answer);
  const headers = variedByEncoding(answer.headers);
  if (isPacked(answer, compression)) return exchange.reply({ ...answer, headers });
  const coding = chooseEncoding(header(exchange.request, 'accept-encoding'), compression.codings);
  return exchange.reply({ ...answer, headers, coding });
}

/** Uncompressed answers have the header, too, because other clients would get them compressed (RFC 9110 12.5.5). */
function variedByEncoding(headers: Answer['headers']): NonNullable<Answer['headers']> {
  const others = headers?.['Vary'];
  return { ...headers, Vary: others === undefined ? 'Accept-Encoding' : `${others}, Accept-Encoding` };
}

/** Whether an answer is not worth compressing. */
function isPacked({ contentType, chunks }: Answer, { mostBytes = Infinity }: Compression): boolean {
  if (contentType.startsWith('image/')) return true;
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.byteLength;
  return bytes > mostBytes;
}

/** A body within the limits of the server and of the operation; its share of the budget is given back when the exchange is over. */
async function readWhole(exchange: Exchange, { config, budget }: Services, mostBytes = Infinity): Promise<Uint8Array> {
  const { request, cancellation, deadline } = exchange;
  const limitBytes = Math.min(config.BODY_LIMIT_BYTES, mostBytes);
  const body = await readBody(request, { limitBytes, budget, cancellation, deadline });
  exchange.releaseLater(body.release);
  return body.bytes;
}

/** `X-Request-Timeout-Ms` shortens the time of the request; it counts from the request's beginning. Throws BAD_REQUEST. */
function readTimeLimit({ request, deadline }: Exchange): void {
  const value = header(request, 'x-request-timeout-ms');
  if (value !== undefined)
    deadline.shorten(wholeNumber(value, { name: 'X-Request-Timeout-Ms', most: LONGEST_TIMEOUT_MS }));
}

/** `X-Request-Priority` is 1 (highest) to 3. Throws BAD_REQUEST. */
function readPriority({ request }: Exchange): number | undefined {
  const value = header(request, 'x-request-priority');
  return value === undefined ? undefined : wholeNumber(value, { name: 'X-Request-Priority', most: 3 });
}

function wholeNumber(value: string, { name, most }: { name: string; most: number }): number {
  const number = Number(value);
  if (!/^\d{1,9}$/.test(value) || number < 1 || number > most)
    throw new ServerError('BAD_REQUEST', `${name} must be a whole number from 1 to ${most}.`);
  return number;
}
