import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Payload } from './payload.ts';

const LOOPBACK = '127.0.0.1';

/** A reply as far as a benchmark looks at it. */
export interface SocketReply {
  /** 0: the connection broke before the reply was whole. */
  readonly status: number;
  readonly body: Buffer;
}

/** The bytes of a request, made once and sent many times. */
export function requestBytes(port: number, { path, headers, body }: Payload, host = LOOPBACK): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\ncontent-length: ${body.byteLength}\r\n${lines.join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

/**
 * One keep-alive connection, one request at a time, with as little work per reply as can be: a load generator that shares its
 * cores with the server must be cheap. Reads replies with a Content-Length and chunked ones (whose body is given with its chunk sizes),
 * and opens itself anew after a break.
 */
export class HttpSocket {
  readonly #port: number;
  readonly #host: string;
  #socket: Socket | undefined;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** Bytes of the whole reply, once its head is in. */
  #wantedBytes = Number.POSITIVE_INFINITY;
  #resolve: ((reply: SocketReply) => void) | undefined;

  constructor(port: number, host = LOOPBACK) {
    this.#port = port;
    this.#host = host;
  }

  /** Whether the next request goes out on the connection of the last. */
  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  /** Opens the connection ahead of the first request. Rejects when the server cannot be reached. */
  async connect(): Promise<void> {
    this.#socket ??= this.#open();
    if (this.#socket.connecting) await once(this.#socket, 'connect');
  }

  /** Sends the bytes of one request; never rejects. Only one may be under way. */
  send(request: Buffer): Promise<SocketReply> {
    this.#socket ??= this.#open();
    this.#socket.write(request);
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#settle({ status: 0, body: Buffer.alloc(0) });
    });
    return socket;
  }

  #take(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.byteLength;
    if (this.#receivedBytes < this.#wantedBytes && Number.isFinite(this.#wantedBytes)) return;
    const bytes = this.#received.length === 1 ? chunk : Buffer.concat(this.#received);
    this.#received = [bytes];
    const headEnd = bytes.indexOf('\r\n\r\n');
    if (headEnd === -1) return;
    const head = bytes.toString('latin1', 0, headEnd);
    const wanted = replyBytes(bytes, head);
    if (wanted === undefined) return;
    this.#wantedBytes = wanted;
    if (this.#receivedBytes < wanted) return;
    const status = Number(head.slice(9, 12));
    if (/\r\nconnection: *close/i.test(head)) {
      this.#socket?.destroy();
      this.#socket = undefined;
    }
    this.#settle({ status, body: bytes.subarray(headEnd + 4, this.#wantedBytes) });
  }

  #settle(reply: SocketReply): void {
    this.#received = [];
    this.#receivedBytes = 0;
    this.#wantedBytes = Number.POSITIVE_INFINITY;
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.(reply);
  }
}

/** Bytes of a whole reply; undefined while only more of it can tell. Throws a plain Error on a reply without an end. */
function replyBytes(bytes: Buffer, head: string): number | undefined {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return head.length + 4 + Number(length);
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error('a reply without a length');
  return bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) ? bytes.byteLength : undefined;
}

/** Without trailers. No reply of a benchmark holds these bytes earlier at the end of a packet, short of malice. */
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');
