import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** A hub that takes connections and never answers. */
export interface SilentHub {
  readonly endpoint: string;
  /** How many it has taken. */
  readonly connections: () => number;
  /** Resolves when it has taken one. */
  readonly connected: Promise<unknown>;
}

export async function startSilentHub(t: TestContext): Promise<SilentHub> {
  let connections = 0;
  const hub = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined).resume();
  });
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
  const connected = once(hub, 'connection');
  t.after(() => hub.close());
  return {
    endpoint: `http://127.0.0.1:${(hub.address() as AddressInfo).port}`,
    connections: () => connections,
    connected,
  };
}
