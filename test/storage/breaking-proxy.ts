import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface BreakingOptions {
  /** A connection is broken with this chance each time that it has carried `everyBytes`. */
  readonly chance: number;
  readonly everyBytes: number;
  readonly random: () => number;
}

/** A TCP proxy that breaks connections. */
export class BreakingProxy {
  broken = 0;
  readonly #options: BreakingOptions;
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: string, options: BreakingOptions) {
    this.#target = new URL(target);
    this.#options = options;
    this.#server = createServer((socket) => this.#join(socket));
  }

  static async start(t: Pick<TestContext, 'after'>, target: string, options: BreakingOptions): Promise<BreakingProxy> {
    const proxy = new BreakingProxy(target, options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    t.after(() => {
      proxy.#server.close();
      for (const socket of proxy.#sockets) socket.destroy();
    });
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #join(client: Socket): void {
    const server = connect(Number(this.#target.port), this.#target.hostname);
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    let carried = 0;
    const count = (chunk: Buffer): void => {
      carried += chunk.length;
      if (carried < this.#options.everyBytes) return;
      carried = 0;
      if (this.#options.random() >= this.#options.chance) return;
      this.broken += 1;
      end();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('data', count);
      socket.on('error', end);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    client.pipe(server);
    server.pipe(client);
  }
}
