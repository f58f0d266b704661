import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { HttpStorage } from '../../../src/storage/http/storage.ts';
import type { HttpLimits } from '../../../src/storage/http/client.ts';

/** What the server does with one request before it serves it; true: it has answered. */
export type Trouble = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A server of objects that knows ranges, ETags and PUT, with faults on demand. */
export class ObjectServer {
  readonly objects = new Map<string, Buffer>();
  readonly requests: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  trouble: Trouble = () => false;
  /** False: a range is answered with everything. */
  ranges = true;
  etags = true;
  /** Called with each range that is about to be sent. */
  onRange: (start: number) => void = () => undefined;
  url = '';
  readonly #sockets = new Set<Socket>();

  static async start(t: TestContext, host = '127.0.0.1'): Promise<ObjectServer> {
    const it = new ObjectServer();
    const server = createServer((request, response) => void it.#serve(request, response));
    server.on('connection', (socket) => {
      it.#sockets.add(socket);
      socket.on('close', () => it.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    it.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return it;
  }

  etagOf(bytes: Buffer): string {
    let sum = 0;
    for (let at = 0; at < bytes.length; at += 997) sum = (sum * 31 + (bytes[at] ?? 0)) % 1e9;
    return `"${bytes.length}-${sum}"`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.requests.push(`${method} ${url}${headers.range === undefined ? '' : ` ${headers.range}`}`);
    this.headers.push(headers);
    if (this.trouble(request, response)) return;
    const [name = ''] = url.split('?');
    if (method === 'PUT') await this.#store(name, request, response);
    else this.#send(name, request, response);
  }

  async #store(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      return;
    }
    if (request.headers['if-none-match'] === '*' && this.objects.has(name)) response.writeHead(412).end();
    else {
      this.objects.set(name, Buffer.concat(pieces));
      response.writeHead(200).end();
    }
  }

  #send(name: string, { headers }: IncomingMessage, response: ServerResponse): void {
    const bytes = this.objects.get(name);
    if (bytes === undefined) {
      response.writeHead(404).end('no such object');
      return;
    }
    const etag = this.etagOf(bytes);
    if (this.etags) response.setHeader('ETag', etag);
    response.setHeader('Content-Type', 'application/x-test');
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    const isSame = headers['if-range'] === undefined || headers['if-range'] === etag;
    if (!this.ranges || from === undefined || to === undefined || !isSame) {
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      return;
    }
    const start = Number(from);
    if (start >= bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
      return;
    }
    this.onRange(start);
    const end = Math.min(Number(to) + 1, bytes.length);
    response.writeHead(206, {
      'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
      'content-length': end - start,
    });
    response.end(bytes.subarray(start, end));
  }
}

/** Bytes that differ from place to place. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

/** Small limits, so that failures are quick. */
export function openHttp(t: TestContext, limits: Partial<HttpLimits> = {}, allowsPrivate = true): HttpStorage {
  const storage = new HttpStorage({
    allowsPrivate: () => allowsPrivate,
    limits: { firstDelayMs: 1, partBytes: 100_000, ...limits },
  });
  t.after(() => storage.close());
  return storage;
}
