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
