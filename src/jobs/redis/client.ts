import { createClient, type RedisClientType } from '@redis/client';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { unreachable, type Cure, type QueueServer } from '../unreachable.ts';

/** A command that takes longer has failed. */
export const COMMAND_LIMIT_MS = 10_000;
/** With the login. */
const CONNECT_LIMIT_MS = 15_000;

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

/** Connects. Rejects if the server cannot be reached or will not have us. */
export async function connect(client: Client, { url }: Pick<RedisAddress, 'url'>): Promise<void> {
  // The client's own limit is for the connection alone: something else may answer there, and say nothing.
  await within(client.connect(), CONNECT_LIMIT_MS).catch(unreachable(serverAt(url)));
}

/** Redis as REDIS_URL names it. */
export function serverAt(url: string): QueueServer {
  return {
    option: 'REDIS_URL',
    address: url,
    cure: 'Start a Redis server there, or set REDIS_URL to yours (redis://user:password@host:6379).',
    cures: CURES,
  };
}

const CURES: readonly Cure[] = [
  [
    /NOAUTH|WRONGPASS|ERR AUTH|invalid password/,
    'Name and password stand in REDIS_URL: redis://user:password@host:6379, or redis://:password@host:6379 without a name; leave them out where the server asks for none.',
  ],
  [
    /NOPERM/,
    'Let the user of REDIS_URL use JOB_QUEUE and all keys that begin with it: ACL SETUSER <user> ~<queue> ~<queue>:* +@read +@write +@scripting +@connection +client|unblock.',
  ],
  [/WRONGTYPE/, 'The key JOB_QUEUE is there already, and no stream: choose another one.'],
  [/READONLY/, 'That server is a replica: set REDIS_URL to its primary.'],
  [/DB index/, 'The server has no database of that number: leave out the path of REDIS_URL.'],
  [
    /certificate|CERT_|UNABLE_TO_/i,
    'NODE_EXTRA_CA_CERTS names a file of certificates that the server may be signed with.',
  ],
  [
    /ECONNRESET|closed unexpectedly|RESP type|timeout|not answered|EPROTO|ERR_SSL/i,
    'Something is there, but it does not answer as Redis does: a server with TLS wants rediss://, one without redis://, and another port may be meant.',
  ],
];

/** Rejects when Redis has not answered in time. */
export function within<Value>(promise: Promise<Value>, limitMs: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Redis has not answered within ${limitMs} ms`)), limitMs);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
