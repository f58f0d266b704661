import { CarpoolError, isRecord } from './errors.ts';
import { badReply, failRead } from './transport.ts';

/** Most characters of one event. */
const EVENT_LIMIT = 64 * 1024 * 1024;

/**
 * The values of a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), each the JSON of one
 * event's data, up to `[DONE]` or the end. Leaving the loop closes the connection, which cancels the request. Throws a CarpoolError for
 * an error that the server tells within the stream, and for a connection that breaks.
 */
export async function* readEvents(response: Response): AsyncGenerator<unknown, void, undefined> {
  for await (const data of eventData(response)) {
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

async function* eventData(response: Response): AsyncGenerator<string, void, undefined> {
  if (response.body === null) return;
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(failRead);
      text += value === undefined ? decoder.decode() : decoder.decode(value, { stream: true });
      if (text.length > EVENT_LIMIT) throw badReply(response, `An event has more than ${EVENT_LIMIT} characters.`);
      // A lone carriage return at the end may be half of a line's end.
      const events = text.split(/\r\n\r\n|\n\n|\r\r(?!\n)/);
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
