/** An event of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html), as far as this server uses them. */
export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

/** No event of the server is as long; a stream that is something else must not fill the memory. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

/**
 * Cuts text that comes in pieces into events. The browser's own `EventSource` sends no Authorization header, so streams are read by `fetch`.
 * Throws an Error for an event that does not end.
 */
export class EventReader {
  #rest = '';

  /** The events that a further piece completes. */
  push(text: string): StreamEvent[] {
    const blocks = (this.#rest + text).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? '';
    if (this.#rest.length > MOST_CHARACTERS) throw new Error('An event of the stream is too long.');
    return blocks.flatMap(readEvent);
  }
}

/** Comments keep the connection alive, and are no events. */
function readEvent(block: string): StreamEvent[] {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? [] : [{ name, data: data.join('\n') }];
}

/** The events of a response's body, as they come. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent, void> {
  const reader = new EventReader();
  const pieces = body
    .pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>)
    .getReader();
  try {
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) return;
      yield* reader.push(value);
    }
  } finally {
    await pieces.cancel().catch(() => undefined);
  }
}
