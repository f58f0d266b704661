import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** `pass`: as if it were not there. `deaf`: nothing that a client sends arrives. `mute`: what a client sends arrives, and no answer comes back. */
export type ProxyMode = 'pass' | 'deaf' | 'mute';

/** A TCP proxy on a free port of the loopback interface that can make calls hang. */
export class StallingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #mode: ProxyMode = 'pass';

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      const target = connect(targetPort, '127.0.0.1');
      this.#join(client, target, 'deaf');
      this.#join(target, client, 'mute');
    });
  }

  static async start(target: string): Promise<StallingProxy> {
    const proxy = new StallingProxy(Number(new URL(target).port));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Of all connections, from now on. What is held back until then stays lost. */
  set mode(mode: ProxyMode) {
    this.#mode = mode;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(from: Socket, to: Socket, held: ProxyMode): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => {
      if (this.#mode !== held) to.write(bytes);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
