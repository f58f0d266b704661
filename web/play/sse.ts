import { isObject } from './json-shape.ts';

/** Whether an event is the last of its stream: an answer that ends without one is not whole. Throws for data that is not JSON. */
export function isLastEvent(data: string): boolean {
  if (data === '[DONE]') return true;
  const event: unknown = JSON.parse(data);
  return isObject(event) && event['type'] === 'transcript.text.done';
}

/** Server-sent events, read piece by piece. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
export class EventReader {
  #rest = '';
  #data: string[] = [];

  /** The data of the events that have ended with this piece. */
  read(piece: string): string[] {
    const events: string[] = [];
    this.#rest += piece;
    // A `\r` at the end may be half of a line's end.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0) events.push(this.#data.join('\n'));
        this.#data = [];
      } else if (line.startsWith('data:')) this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
    }
    return events;
  }
}
