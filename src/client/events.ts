import { CarpoolError, isRecord } from './errors.ts';
import { badReply, failRead } from './transport.ts';

/** Most characters of one event. */
const EVENT_LIMIT = 64 * 1024 * 1024;

/** How a type of stream is parted: what is between events, and the data of one; undefined for an event without. */
interface Form {
  readonly between: RegExp;
  readonly dataOf: (event: string) => string | undefined;
}

const FORMS: Readonly<Record<string, Form>> = {
  // A lone carriage return at the end may be half of a line's end.
  'text/event-stream': { between: /\r\n\r\n|\n\n|\r\r(?!\n)/, dataOf },
  'application/x-ndjson': { between: /\n/, dataOf: (line) => (line.trim() === '' ? undefined : line) },
};

/**
 * The values of a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), each the JSON of one
 * event's data, up to `[DONE]` or the end, or of lines of JSON (https://github.com/ndjson/ndjson-spec), as Ollama's routes send them.
 * Leaving the loop closes the connection, which cancels the request. Throws a CarpoolError for a reply of another type, for
 * an error that the server tells within the stream, and for a connection that breaks.
 */
export async function* readEvents(response: Response): AsyncGenerator<unknown, void, undefined> {
  const type = response.headers.get('content-type') ?? '';
  const form = FORMS[type.replace(/;.*/s, '').trim().toLowerCase()];
  if (form === undefined) {
    await response.body?.cancel().catch(() => undefined);
    throw badReply(response, `The reply is no stream of events: its type is '${type}'.`);
  }
  for await (const data of eventData(response, form)) {
    if (data === '[DONE]') return;
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch (cause) {
      throw badReply(response, 'An event of the stream is not JSON.', cause);
    }
    const error = isRecord(value) ? value['error'] : undefined;
    if (error !== undefined && error !== null) throw toldError(response, error);
    yield value;
  }
}

async function* eventData(response: Response, { between, dataOf }: Form): AsyncGenerator<string, void, undefined> {
  if (response.body === null) return;
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(failRead(response));
      text += value === undefined ? decoder.decode() : decoder.decode(value, { stream: true });
      if (text.length > EVENT_LIMIT) throw badReply(response, `An event has more than ${EVENT_LIMIT} characters.`);
      const events = text.split(between);
      text = events.pop() ?? '';
      for (const event of events) {
        const data = dataOf(event);
        if (data !== undefined) yield data;
      }
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The data of one event; undefined for a comment. */
function dataOf(event: string): string | undefined {
  const lines = event
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(line.startsWith('data: ') ? 6 : 5));
  return lines.length === 0 ? undefined : lines.join('\n');
}

function toldError(response: Response, error: unknown): CarpoolError {
  const message = isRecord(error) ? error['message'] : error;
  const code = isRecord(error) ? (error['code'] ?? error['type']) : undefined;
  return new CarpoolError(typeof message === 'string' ? message : 'The stream ended with an error.', {
    status: response.status,
    code: typeof code === 'string' ? code : 'BAD_REPLY',
    retryable: false,
    requestId: response.headers.get('x-request-id') ?? undefined,
  });
}
