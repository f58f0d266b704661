import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** A hub on loopback with the routes of the Hugging Face hub: large files are redirected to a store at another origin. */

export interface Seen {
  readonly where: 'hub' | 'store';
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Bytes of the body that were sent. */
  sent: number;
}

/** What goes wrong with a file, one entry for each request for its content. */
export type Mishap =
  | { readonly kind: 'break'; readonly afterBytes: number }
  /** All bytes come, but not the end of the answer. */
  | { readonly kind: 'unended' }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'silence' }
  /** A byte now and then, for ever. */
  | { readonly kind: 'drip' }
  /** Nothing goes wrong here, but with a later request. */
  | { readonly kind: 'none' };

export interface HubSetUp {
  readonly repository?: string;
  readonly files: Readonly<Record<string, string | Buffer>>;
  /** Without it, anyone may read. */
  readonly token?: string;
  readonly gated?: boolean;
  /** The store answers 200 with everything, whatever part it is asked for. */
  readonly noRanges?: boolean;
  /** Files on one page of the list. */
  readonly pageSize?: number;
  /** Another repository, which this hub has as well. */
  readonly besides?: FakeHub;
}

export class FakeHub {
  readonly repository: string;
  readonly seen: Seen[] = [];
  /** By path, used up in order. */
  readonly mishaps = new Map<string, Mishap[]>();
  /** Content that is sent in place of the listed one. */
  readonly corrupt = new Map<string, Buffer>();
  /** Sizes that the list gives in place of the true ones. */
  readonly listedSizes = new Map<string, number>();
  /** Further paths that the list gives. */
  readonly listedBesides: string[] = [];
  readonly #setUp: HubSetUp;
  readonly #files = new Map<string, Buffer>();
  readonly #hub: Server;
  readonly #store: Server;
  endpoint = '';

  private constructor(setUp: HubSetUp) {
    this.#setUp = setUp;
    this.repository = setUp.repository ?? 'acme/tiny';
    for (const [name, content] of Object.entries(setUp.files)) this.change(name, content);
    this.#hub = createServer((request, response) => this.#answerHub(request, response));
    this.#store = createServer((request, response) => this.#answerStore(request, response));
  }

  static async start(t: TestContext, setUp: HubSetUp): Promise<FakeHub> {
    const hub = new FakeHub(setUp);
    for (const server of [hub.#hub, hub.#store]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    hub.endpoint = originOf(hub.#hub);
    t.after(() => hub.stop());
    return hub;
  }

  /** Connections that are open, to the hub and to the store. */
  async connections(): Promise<number> {
    const counts = [this.#hub, this.#store].map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
        }),
    );
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      if (!server.listening) continue;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  }

  get commit(): string {
    const hash = createHash('sha1');
    for (const [name, content] of this.#files) hash.update(name).update(content);
    return hash.digest('hex');
  }

  /** Makes a new commit. */
  change(name: string, content: string | Buffer): void {
    this.#files.set(name, Buffer.from(content));
  }

  /** Requests for the content of a file, at the place that sends it. */
  requestsFor(name: string): Seen[] {
    return this.seen.filter(
      ({ where, url }) => where === (isLarge(name) ? 'store' : 'hub') && url.endsWith(`/${name}`),
    );
  }

  #answerHub(request: IncomingMessage, response: ServerResponse): void {
    const seen = this.#note('hub', request);
    const url = new URL(request.url ?? '', this.endpoint);
    const isForUs =
      url.pathname.startsWith(`/api/models/${this.repository}/`) || url.pathname.startsWith(`/${this.repository}/`);
    const { besides } = this.#setUp;
    if (!isForUs && besides !== undefined) {
      besides.#answerHub(request, response);
      return;
    }
    const refused = isForUs ? this.#refusal(seen) : { status: 404, code: 'RepoNotFound' };
    if (refused !== undefined) {
      response.writeHead(refused.status, { 'X-Error-Code': refused.code }).end();
      return;
    }
    const [, revision] = /^\/api\/models\/[^/]+\/[^/]+\/revision\/(.+)$/.exec(url.pathname) ?? [];
    if (revision !== undefined) {
      if (['main', encodeURIComponent('refs/pr/1'), this.commit].includes(revision))
        sendJson(response, { id: this.repository, sha: this.commit });
      else response.writeHead(404, { 'X-Error-Code': 'RevisionNotFound' }).end();
    } else if (url.pathname === `/api/models/${this.repository}/tree/${this.commit}`) this.#sendList(url, response);
    else this.#resolve(url, seen, { request, response });
  }

  #refusal({ authorization }: Seen): { status: number; code: string } | undefined {
    const { token, gated } = this.#setUp;
    if (token === undefined || authorization === `Bearer ${token}`) return undefined;
    return gated === true ? { status: 401, code: 'GatedRepo' } : { status: 401, code: 'RepoNotFound' };
  }

  #sendList(url: URL, response: ServerResponse): void {
    const entries = [...this.#files].map(([path, content]) => ({
      type: 'file',
      path,
      size: this.listedSizes.get(path) ?? content.length,
      oid: gitDigest(content),
      ...(isLarge(path)
        ? { lfs: { oid: sha256(content), size: this.listedSizes.get(path) ?? content.length, pointerSize: 130 } }
        : {}),
    }));
    const besides = this.listedBesides.map((path) => ({
      type: 'file',
      path,
      size: 1,
      oid: gitDigest(Buffer.from('x')),
    }));
    const all = [{ type: 'directory', path: 'onnx', size: 0, oid: '0'.repeat(40) }, ...entries, ...besides];
    const { pageSize = all.length } = this.#setUp;
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const next = `<${url.origin}${url.pathname}?recursive=true&cursor=${from + pageSize}>; rel="next"`;
    sendJson(response, all.slice(from, from + pageSize), from + pageSize < all.length ? { link: next } : {});
  }

  #resolve(url: URL, seen: Seen, { request, response }: { request: IncomingMessage; response: ServerResponse }): void {
    const prefix = `/${this.repository}/resolve/${this.commit}/`;
    const name = decodeURIComponent(url.pathname.slice(prefix.length));
    const content = url.pathname.startsWith(prefix) ? this.#files.get(name) : undefined;
    if (content === undefined) {
      response.writeHead(404, { 'X-Error-Code': 'EntryNotFound' }).end();
      return;
    }
    response.setHeader('X-Repo-Commit', this.commit);
    if (isLarge(name)) {
      response.setHeader('X-Linked-Etag', `"${sha256(content)}"`);
      response.setHeader('X-Linked-Size', content.length);
      response
        .writeHead(302, { location: `${originOf(this.#store)}/blobs/${url.pathname.slice(prefix.length)}` })
        .end('Found');
    } else this.#send(name, seen, { request, response });
  }

  #answerStore(request: IncomingMessage, response: ServerResponse): void {
    const name = decodeURIComponent((request.url ?? '').replace(/^\/blobs\//, ''));
    this.#send(name, this.#note('store', request), { request, response });
  }

  #send(name: string, seen: Seen, { request, response }: { request: IncomingMessage; response: ServerResponse }): void {
    const content = this.corrupt.get(name) ?? this.#files.get(name) ?? Buffer.alloc(0);
    const mishap = this.mishaps.get(name)?.shift();
    if (mishap?.kind === 'silence') return;
    if (mishap?.kind === 'status') {
      response.writeHead(mishap.status, mishap.headers).end();
      return;
    }
    const body = this.#writeHead(content, seen.range, response);
    if (body === undefined) return;
    if (mishap?.kind === 'drip') {
      drip(body, response);
      return;
    }
    if (mishap === undefined || mishap.kind === 'none') {
      seen.sent = body.length;
      response.end(body);
      return;
    }
    const { afterBytes } = mishap.kind === 'break' ? mishap : { afterBytes: body.length };
    if (mishap.kind === 'unended') response.removeHeader('content-length');
    seen.sent = Math.min(afterBytes, body.length);
    response.write(body.subarray(0, afterBytes), () => request.socket.destroy());
  }

  /** Begins the answer; gives the requested part or the whole, or has refused a range that is not there. */
  #writeHead(content: Buffer, range: string | undefined, response: ServerResponse): Buffer | undefined {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    if (from === undefined || to === undefined || this.#setUp.noRanges === true) {
      response.setHeader('content-length', content.length);
      return content;
    }
    if (Number(from) > Number(to)) {
      response.writeHead(416).end();
      return undefined;
    }
    const part = content.subarray(Number(from), Number(to) + 1);
    response.statusCode = 206;
    response.setHeader('content-length', part.length);
    response.setHeader('content-range', `bytes ${from}-${to}/${content.length}`);
    return part;
  }

  #note(where: Seen['where'], { url = '', headers }: IncomingMessage): Seen {
    const seen: Seen = { where, url, range: headers.range, authorization: headers.authorization, sent: 0 };
    this.seen.push(seen);
    return seen;
  }
}

function drip(body: Buffer, response: ServerResponse): void {
  let at = 0;
  const timer = setInterval(() => response.write(body.subarray(at, (at += 1))), 10);
  response.on('close', () => clearInterval(timer));
}

function isLarge(name: string): boolean {
  return /\.onnx(_data.*)?$/.test(name);
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function sendJson(response: ServerResponse, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** As `git hash-object` gives it. */
function gitDigest(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
