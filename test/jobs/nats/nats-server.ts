import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { jetstream, type JetStreamClient, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';
import { freePort } from '../../free-port.ts';

const COMMAND = process.env['CARPOOL_NATS_SERVER'] ?? 'nats-server';

/** False, or why tests that need a NATS server are skipped. */
export const withoutNats: false | string =
  spawnSync(COMMAND, ['--version']).status === 0
    ? false
    : 'nats-server is not installed, and CARPOOL_NATS_SERVER does not name it';

const START_LIMIT_MS = 60_000;

/** A NATS server of its own with JetStream, on a free port of the loopback interface. */
export class NatsServer {
  readonly port: number;
  readonly #folder: string;
  readonly #flags: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string, flags: readonly string[]) {
    this.port = port;
    this.#folder = folder;
    this.#flags = flags;
  }

  /** Starts one that is gone after the test. */
  static async start(t: TestContext, flags: readonly string[] = []): Promise<NatsServer> {
    const server = await NatsServer.startFor(flags);
    t.after(() => server.stop());
    return server;
  }

  /** Starts one that lives until `stop`. */
  static async startFor(flags: readonly string[] = []): Promise<NatsServer> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-nats-'));
    const server = new NatsServer(await freePort(), folder, flags);
    await server.restart();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** It keeps what it has written to its folder. */
  async restart(): Promise<void> {
    await this.kill();
    const flags = ['-a', '127.0.0.1', '-p', String(this.port), '-js', '-sd', this.#folder, ...this.#flags];
    this.#process = spawn(COMMAND, flags, { stdio: 'ignore' });
    await this.#listening();
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
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

  /** A client of the test's own. */
  async client(options: ConnectionOptions = {}): Promise<NatsClient> {
    const nats = await connect({
      servers: `127.0.0.1:${this.port}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      ...options,
    });
    const client = jetstream(nats);
    return { nats, jetstream: client, manager: await client.jetstreamManager(false) };
  }

  async #listening(): Promise<void> {
    const limitMs = performance.now() + START_LIMIT_MS;
    for (;;)
      try {
        const nats = await connect({ servers: `127.0.0.1:${this.port}`, reconnect: false, ignoreAuthErrorAbort: true });
        await nats.close();
        return;
      } catch (error) {
        if (error instanceof Error && /authorization/i.test(error.message)) return;
        if (performance.now() > limitMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
  }
}

export interface NatsClient {
  readonly nats: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
}

/** The last message of a subject; null if there is none. */
export function lastOf({ manager }: NatsClient, stream: string, subject: string): Promise<StoredMsg | null> {
  return manager.streams.getMessage(stream, { last_by_subj: subject });
}
