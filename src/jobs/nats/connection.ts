import { readFile } from 'node:fs/promises';
import { jetstream, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { refusedBy, unreachable, type Cure, type QueueServer } from '../unreachable.ts';

/** Where NATS is, and who we are there. */
export interface NatsAddress {
  /** Servers, separated by commas: `nats://` or `tls://`, with `user:password@` or `token@` where they ask for it. */
  readonly url: string;
  /** A `.creds` file; empty: none. */
  readonly credsFile: string;
  /** Certificates that TLS trusts instead of Node's; empty: Node's. */
  readonly caFile: string;
}

/** A request that takes longer has failed. */
export const REQUEST_LIMIT_MS = 10_000;
const RECONNECT_WAIT_MS = 500;
/** A server that does not answer two of these is gone. */
const PING_MS = 10_000;

/** NATS as NATS_URL names it. */
export function serverAt({ url }: Pick<NatsAddress, 'url'>): QueueServer {
  return {
    option: 'NATS_URL',
    address: url,
    cure: 'Start a NATS server there, or set NATS_URL to yours (nats://user:password@host:4222).',
    cures: CURES,
  };
}

const CURES: readonly Cure[] = [
  [
    /Authorization Violation|AuthenticationE|AuthorizationE/i,
    'Name and password, or a token, stand in NATS_URL (nats://user:password@host:4222, nats://token@host:4222); NATS_CREDS names a file of credentials.',
  ],
  [
    /Permissions? Violation/i,
    'Let the user publish to $JS.API.>, $JS.ACK.>, <queue> and the subjects below <queue>-results, <queue>-given-back, <queue>-dead and <queue>-cancel, and subscribe to _INBOX.> and <queue>-cancel.*.',
  ],
  [
    /jetstream.*not enabled|no ?responders/i,
    'Start it with JetStream (nats-server -js), and let the account of NATS_URL use it.',
  ],
  [
    /certificate|CERT_|UNABLE_TO_|EPROTO|ERR_TLS|ERR_SSL|support 'tls'/i,
    'tls:// insists on TLS, and nats:// does without where the server has none; NATS_CA names a file of certificates that it may be signed with.',
  ],
  [/^TimeoutError|timeout/i, 'Something is there, but it does not answer as NATS does: another port may be meant.'],
  [/insufficient|maximum|storage/i, 'Give JetStream more room (max_file_store), or the account.'],
];

/** A connection to NATS with JetStream. Requests fail at once while it is broken off, because the leases of jobs go on; it comes back by itself. */
export class Connection {
  readonly nats: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly #whenDown = new Set<() => void>();
  #isUp = true;

  private constructor(nats: NatsConnection, client: JetStreamClient, manager: JetStreamManager) {
    this.nats = nats;
    this.jetstream = client;
    this.manager = manager;
  }

  /** Rejects if the server cannot be reached, will not have us, or has no JetStream. */
  static async open(address: NatsAddress, log: Pick<Log, 'warn'>): Promise<Connection> {
    const nats = await connect({
      ...(await optionsOf(address)),
      name: 'carpool',
      timeout: REQUEST_LIMIT_MS,
      pingInterval: PING_MS,
      // A wrong address is told at start; later a server that is gone is waited for.
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      ignoreAuthErrorAbort: true,
      // Otherwise every request takes a stack trace, in case it fails.
      noAsyncTraces: true,
    }).catch(unreachable(serverAt(address)));
    try {
      const client = jetstream(nats, { timeout: REQUEST_LIMIT_MS });
      const connection = new Connection(nats, client, await client.jetstreamManager());
      void connection.#watch(log);
      return connection;
    } catch (error) {
      await nats.close();
      return refusedBy(serverAt(address))(error);
    }
  }

  /** Most bytes of a message, headers included. */
  get limitBytes(): number {
    return this.nats.info?.max_payload ?? 1024 * 1024;
  }

  /** Throws while there is no connection: the client would keep what is sent, and send it when its time has passed. */
  checkUp(): void {
    if (!this.#isUp) throw new Error('there is no connection to NATS');
  }

  /** Calls the listener when the connection breaks off; returns how to stop that. */
  onDown(listener: () => void): () => void {
    this.#whenDown.add(listener);
    return () => this.#whenDown.delete(listener);
  }

  close(): Promise<void> {
    return this.nats.close();
  }

  async #watch(log: Pick<Log, 'warn'>): Promise<void> {
    for await (const { type } of this.nats.status()) {
      if (type === 'reconnect') this.#isUp = true;
      if (type !== 'disconnect') continue;
      this.#isUp = false;
      log.warn('the connection to NATS has failed');
      for (const listener of this.#whenDown) listener();
    }
    this.#isUp = false;
  }
}

/** The client takes servers without names and passwords. Throws an Error that does not repeat the secret. */
async function optionsOf({ url, credsFile, caFile }: NatsAddress): Promise<ConnectionOptions> {
  const servers = url.split(',').map((part) => serverOf(part.trim()));
  const [first] = servers;
  const isTls = servers.some(({ protocol }) => protocol === 'tls:');
  const user = decodeURIComponent(first?.username ?? '');
  const pass = decodeURIComponent(first?.password ?? '');
  return {
    servers: servers.map(({ host }) => host),
    ...(user === '' ? {} : pass === '' ? { token: user } : { user, pass }),
    ...(credsFile === '' ? {} : { authenticator: credsAuthenticator(await bytesOf('NATS_CREDS', credsFile)) }),
    ...(caFile === '' ? (isTls ? { tls: {} } : {}) : { tls: { ca: (await bytesOf('NATS_CA', caFile)).toString() } }),
  };
}

function serverOf(part: string): URL {
  const text = part.includes('://') ? part : `nats://${part}`;
  if (!URL.canParse(text)) throw new Error('NATS_URL is no list of addresses such as nats://host:4222');
  const server = new URL(text);
  if (server.protocol !== 'nats:' && server.protocol !== 'tls:')
    throw new Error(`NATS_URL: ${server.protocol}// is neither nats:// nor tls://`);
  return server;
}

async function bytesOf(option: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new Error(`${option}: ${messageOf(error)}`, { cause: error });
  }
}
