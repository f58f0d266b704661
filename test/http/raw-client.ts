import { connect, type Socket } from 'node:net';

/** HTTP by hand, for what an HTTP client would not do. */

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A connection that keeps all that it receives. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the server has closed or reset the connection. */
  readonly closed: Promise<void>;
  #received = Buffer.alloc(0);
  #onData: () => void = () => undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#onData();
    });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.once('end', () => {
        this.socket.end();
        resolve();
      });
      this.socket.once('close', () => {
        resolve();
        this.#onData();
      });
    });
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** The next answer, interim ones (100) included; undefined when the connection ends before one is whole. */
  async answer(): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#take();
      if (answer !== undefined) return answer;
      if (this.socket.destroyed || this.socket.readableEnded) return undefined;
      await Promise.race([new Promise<void>((resolve) => (this.#onData = resolve)), this.closed]);
    }
  }

  #take(): RawAnswer | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [first = '', ...lines] = this.#received.subarray(0, end).toString('latin1').split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const length = Number(headers['content-length'] ?? 0);
    const from = end + 4;
    if (this.#received.length < from + length) return undefined;
    const body = this.#received.subarray(from, from + length).toString();
    this.#received = this.#received.subarray(from + length);
    return { status: Number(first.split(' ')[1]), headers, body };
  }
}

/** A POST as bytes. */
export function postText(path: string, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const all = {
    Host: 'test',
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}
