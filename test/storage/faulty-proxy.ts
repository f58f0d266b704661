import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** What becomes of a request instead of being passed on. */
export type Fault =
  /** It is answered without reaching the server, with an error of S3. */
  | {
      readonly kind: 'refuse';
      readonly status: number;
      readonly code: string;
      readonly headers?: Record<string, string>;
    }
  /** The connection breaks after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** It is carried out, and the connection breaks before the answer. */
  | { readonly kind: 'lose-answer' }
  /** So many bytes of the request's body are passed on, and the rest waits for ever; `held` is called then. */
  | { readonly kind: 'hold'; readonly afterBytes: number; readonly held: () => void }
  /** It is never answered. */
  | { readonly kind: 'hang' }
  /** One bit of the first chunk of the answer is another one. */
  | { readonly kind: 'flip' };

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly range: string | undefined;
  /** How many requests with this method and URL came before. */
  readonly before: number;
}

/** An HTTP proxy before a real server, which does with requests what networks and busy servers do. Signatures stay right: what it passes on is as it came. */
export class FaultyProxy {
  /** Asked for each request, once its head has come; what it returns is waited for. */
  faults: (request: Seen) => Fault | undefined | Promise<Fault | undefined> = () => undefined;
  readonly seen: Seen[] = [];
  readonly #target: URL;
  readonly #server: Server;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, outgoing) => void this.#handle(incoming, outgoing));
    // No connection breaks but those that a test breaks.
    this.#server.keepAliveTimeout = 0;
  }

  static async start(t: Pick<TestContext, 'after'>, target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    t.after(() => {
      proxy.#server.close();
      proxy.#server.closeAllConnections();
    });
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many requests there were whose method and URL match. */
  count(method: string, url: RegExp): number {
    return this.seen.filter((one) => one.method === method && url.test(one.url)).length;
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming;
    const before = this.seen.filter((one) => one.method === method && one.url === url).length;
    const one = { method, url, range: headers.range, before };
    this.seen.push(one);
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    const fault = await this.faults(one);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'refuse') {
      incoming.resume();
      outgoing.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers });
      outgoing.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>as told</Message></Error>`);
      return;
    }
    this.#pass(incoming, outgoing, fault);
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): void {
    const { method, url, rawHeaders } = incoming;
    const { hostname, port } = this.#target;
    const passed = request({ hostname, port, method, path: url, headers: rawHeaders, agent: false }, (answer) => {
      if (fault?.kind === 'lose-answer') {
        answer.resume();
        answer.on('end', () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
      let left = fault?.kind === 'cut' ? fault.afterBytes : Infinity;
      let isFlipped = fault?.kind !== 'flip';
      answer.on('data', (chunk: Buffer) => {
        if (!isFlipped) chunk[0] = (chunk[0] ?? 0) ^ 1;
        isFlipped = true;
        if (chunk.length >= left) outgoing.write(chunk.subarray(0, left), () => incoming.socket.destroy());
        else if (!outgoing.write(chunk)) {
          answer.pause();
          outgoing.once('drain', () => answer.resume());
        }
        left -= Math.min(left, chunk.length);
      });
      answer.on('end', () => outgoing.end());
      answer.on('error', () => outgoing.destroy());
      outgoing.on('close', () => answer.destroy());
    });
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) passed.destroy();
    });
    if (fault?.kind !== 'hold') {
      incoming.pipe(passed);
      return;
    }
    let sent = 0;
    incoming.on('data', (chunk: Buffer) => {
      passed.write(chunk);
      sent += chunk.length;
      if (sent < fault.afterBytes) return;
      incoming.pause();
      fault.held();
    });
  }
}
