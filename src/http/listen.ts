import type { Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo, type ListenOptions, type Server } from 'node:net';

/** Connections that wait to be accepted: packets of a burst of new clients must not be dropped (the kernel has its own limit). */
const BACKLOG = 4096;
/** libuv accepts one connection in a turn of the event loop from each listening socket. */
const SOCKETS = 8;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a server listens on. */
export interface Listening {
  readonly port: number;
  /** Takes no further connections. Resolves when the last one has ended. */
  readonly close: () => Promise<void>;
}

/** Listens for a moment, alone. Resolves with the port; rejects where a server cannot listen there. */
export async function tryToListen(address: Address): Promise<number> {
  const alone = createServer((socket) => socket.destroy());
  const port = await listen(alone, address);
  await closeAll([alone]);
  return port;
}

/**
 * Listens on several sockets of one port, where Node can share a port among sockets; else on one. With one, new clients, health probes among them, come in one a
 * turn of the event loop, and turns are long where hundreds of kept connections are busy.
 */
export async function listenOnMany(server: HttpServer, address: Address): Promise<Listening> {
  const all: Server[] = [server];
  const close = (): Promise<void> => closeAll(all);
  if (!CAN_SHARE) return { port: await listen(server, address), close };
  // Alone at first: another server that shares its port would go unnoticed.
  const port = await tryToListen(address);
  const place = { ...address, port };
  const options = { reusePort: true, backlog: BACKLOG / SOCKETS };
  try {
    await listen(server, place, options);
    while (all.length < SOCKETS) {
      const more = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        server.emit('connection', socket);
      });
      await listen(more, place, options);
      all.push(more);
    }
  } catch {
    // The kernel cannot: some sandboxes have a kernel of their own.
    if (!server.listening) await listen(server, place);
  }
  return { port, close };
}

const [NODE_MAJOR = 0, NODE_MINOR = 0] = process.versions.node.split('.').map(Number);

/** Linux alone spreads connections over the sockets, and Node has the option since 22.12 and 23.1. */
export const CAN_SHARE =
  process.platform === 'linux' &&
  (NODE_MAJOR > 23 || (NODE_MAJOR === 23 && NODE_MINOR >= 1) || (NODE_MAJOR === 22 && NODE_MINOR >= 12));

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
}

/** As in Node's types from version 22.12 on. */
interface SharedOptions extends ListenOptions {
  readonly reusePort?: boolean;
}

/** Listens; `::` means both families, or IPv4 alone if the machine has no IPv6. Resolves with the port. */
export async function listen(
  server: Server,
  { host, port }: Address,
  options: SharedOptions = { backlog: BACKLOG },
): Promise<number> {
  try {
    await listenOn(server, { ...options, host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (host !== '::' || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) throw error;
    await listenOn(server, { ...options, host: '0.0.0.0', port });
  }
  return (server.address() as AddressInfo).port;
}

function listenOn(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...options, ipv6Only: false }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
