import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

export interface FakeServer {
  readonly url: string;
  /** Connections accepted so far. */
  connections(): number;
  close(): Promise<void>;
}

export interface FakeReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json: unknown;
}

/** A server on a free loopback port that answers with what `answer` says; `undefined` cuts the connection. */
export async function startFakeServer(
  answer: (request: { method: string; path: string; body: string }) => Promise<FakeReply | undefined>,
): Promise<FakeServer> {
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const reply = await answer({ method: request.method ?? '', path: request.url ?? '', body });
    if (reply === undefined) {
      response.destroy();
      return;
    }
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
    response.end(JSON.stringify(reply.json));
  };
  const server = createServer((request, response) => void handle(request, response));
  let connections = 0;
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const refusal: FakeReply = {
  status: 429,
  headers: { 'retry-after': '2' },
  json: { error: 'Queue is full. Please try again later.', code: 'QUEUE_FULL', retryAfterMs: 1500 },
};
