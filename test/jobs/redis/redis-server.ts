import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { createClient } from '@redis/client';
import { freePort } from '../../free-port.ts';

/** False, or why tests that need a Redis server are skipped. */
export const withoutRedis: false | string =
  spawnSync('redis-server', ['--version']).status === 0 ? false : 'redis-server is not installed';

/** A Redis server of its own on a free port of the loopback interface. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  #process: ReturnType<typeof spawn> | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  /** Starts one that is gone after the test. */
  static async start(t: TestContext): Promise<RedisServer> {
    const server = await RedisServer.startFor();
    t.after(() => server.stop());
    return server;
  }

  /** Starts one that lives until `stop`. */
  static async startFor(): Promise<RedisServer> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-redis-'));
    const server = new RedisServer(await freePort(), folder);
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** It keeps what it has written to its log. */
  async restart(): Promise<void> {
    await this.kill();
    const { port } = this;
    this.#process = spawn(
      'redis-server',
      [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        this.#folder,
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
      ],
      { stdio: 'ignore' },
    );
    await this.#ready();
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Stops its process where it stands; returns how it goes on. */
  pause(): () => void {
    const child = this.#process;
    child?.kill('SIGSTOP');
    return () => void child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Sends one command. */
  async ask(...args: string[]): Promise<unknown> {
    const client = createClient({ url: this.url, RESP: 2, socket: { reconnectStrategy: false } });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  async #ready(): Promise<void> {
    for (let tries = 0; ; tries += 1)
      try {
        await this.ask('PING');
        return;
      } catch (error) {
        if (tries === 300) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
  }
}
