import { createClient, type RedisClientType } from '@redis/client';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { unreachable } from '../unreachable.ts';

/** A command that takes longer has failed. */
export const COMMAND_LIMIT_MS = 10_000;

export type Client = RedisClientType<Record<string, never>, Record<string, never>, Record<string, never>, 2>;

export interface RedisAddress {
  readonly url: string;
  readonly log: Pick<Log, 'warn'>;
}

/** A client that is yet to connect. */
export function createConnection({ url, log }: RedisAddress): Client {
  // A wrong address is told at start; later a server that is gone is waited for.
  let hasConnected = false;
  const reconnectStrategy = (tries: number): number | false => hasConnected && Math.min(5000, 100 * 2 ** tries);
  const client = createClient({
    url,
    RESP: 2,
    // A command fails at once while there is no connection: its lease goes on.
    disableOfflineQueue: true,
    socket: { connectTimeout: COMMAND_LIMIT_MS, reconnectStrategy },
  }) as unknown as Client;
  client.on('ready', () => (hasConnected = true));
  // Without a listener it would end the process.
  client.on('error', (error: unknown) => log.warn({ reason: messageOf(error) }, 'the connection to Redis has failed'));
  return client;
}

/** Connects. Rejects, with the option and the address, if the server cannot be reached or will not have us. */
export async function connect(client: Client, { url }: Pick<RedisAddress, 'url'>): Promise<void> {
  const cure = 'Start a Redis server there, or set REDIS_URL to yours (redis://user:password@host:6379).';
  await client.connect().catch(unreachable({ option: 'REDIS_URL', address: url, cure }));
}

/** Rejects when Redis has not answered in time. */
export function within<Value>(promise: Promise<Value>, limitMs: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Redis has not answered within ${limitMs} ms`)), limitMs);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
