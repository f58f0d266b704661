import type { AddressInfo, Server } from 'node:net';

/** Connections that wait to be accepted: packets of a burst of new clients must not be dropped (the kernel has its own limit). */
const BACKLOG = 4096;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Listens; `::` means both families, or IPv4 alone if the machine has no IPv6. Resolves with the port. */
export async function listen(server: Server, { host, port }: Address): Promise<number> {
  try {
    await listenOn(server, host, port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (host !== '::' || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) throw error;
    await listenOn(server, '0.0.0.0', port);
  }
  return (server.address() as AddressInfo).port;
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: false, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
