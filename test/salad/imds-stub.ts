import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ImdsCall {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export interface ImdsStub extends AsyncDisposable {
  readonly uri: string;
  readonly calls: ImdsCall[];
  /** Statuses of the next answers, in place of the right ones; 0 breaks the connection. */
  readonly faults: number[];
}

/** A stand-in for SaladCloud's metadata service, after its OpenAPI document (0.9.0-alpha.3). */
export async function startImdsStub(): Promise<ImdsStub> {
  const calls: ImdsCall[] = [];
  const faults: number[] = [];
  let cost = 0;
  const answer = (method: string, path: string, body: unknown): [number, unknown?] => {
    switch (`${method} ${path}`) {
      case 'GET /v1/status':
        return [200, { ready: true, started: true }];
      case 'GET /v1/token':
        return [200, { jwt: `token-${calls.length}` }];
      case 'POST /v1/reallocate': {
        const { reason } = body as { reason?: unknown };
        return typeof reason === 'string' && reason.length >= 1 && reason.length <= 1000
          ? [204]
          : [400, { title: 'x' }];
      }
      case 'POST /v1/restart':
      case 'POST /v1/recreate':
        return [204];
      case 'GET /v1/deletion-cost':
        return [200, { deletion_cost: cost }];
      case 'PUT /v1/deletion-cost':
        cost = (body as { deletion_cost: number }).deletion_cost;
        return [204];
      default:
        return [404, { title: 'not found' }];
    }
  };
  const server = createServer((request, response) => {
    void text(request).then((sent) => {
      const { method = '', url = '', headers } = request;
      const body: unknown = sent === '' ? undefined : JSON.parse(sent);
      calls.push({ method, path: url, body });
      const fault = faults.shift();
      if (fault === 0) {
        request.socket.destroy();
        return;
      }
      const isForbidden =
        headers['metadata'] !== 'true' || Object.keys(headers).some((name) => name.startsWith('x-forwarded-'));
      const [status, told] = isForbidden ? [403, { title: 'forbidden' }] : answer(method, url, body);
      response.writeHead(fault ?? status, { 'Content-Type': 'application/json' });
      response.end(told === undefined ? undefined : JSON.stringify(told));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    faults,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
