import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens on a free port of the loopback interface. */
export async function listen(server: Server): Promise<{ readonly port: number }> {
  server.listen(0, '127.0.0.1', 1024);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port };
}
