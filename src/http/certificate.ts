import type { RequestListener, Server, ServerOptions } from 'node:http';
import { createServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/options.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { WatchedFiles } from './watched-files.ts';

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const MIN_VERSION = 'TLSv1.2';

/** The certificate of the server, read again when its files change: connections that come after that get the new one. */
export class Certificate {
  readonly #config: Pick<Config, 'HEADERS_TIMEOUT_MS'>;
  #pair: Pair = { cert: Buffer.alloc(0), key: Buffer.alloc(0) };
  #files: WatchedFiles | undefined;
  #renew: (pair: Pair) => void = () => undefined;

  private constructor(config: Config) {
    this.#config = config;
  }

  /** That of TLS_CERT_FILE and TLS_KEY_FILE; undefined without. Rejects where they cannot be read, or do not belong together. */
  static async open(config: Config, log: Log): Promise<Certificate | undefined> {
    if (config.TLS_CERT_FILE === '') return undefined;
    const certificate = new Certificate(config);
    certificate.#files = await WatchedFiles.open({
      files: [config.TLS_CERT_FILE, config.TLS_KEY_FILE],
      names: 'TLS_CERT_FILE, TLS_KEY_FILE',
      take: (contents) => certificate.#take(contents),
      log,
    });
    return certificate;
  }

  /** A server of HTTP/1.1 over TLS. */
  createServer(options: ServerOptions, listener: RequestListener): Server {
    const server = createServer(
      {
        ...options,
        ...this.#pair,
        minVersion: MIN_VERSION,
        ALPNProtocols: ['http/1.1'],
        handshakeTimeout: this.#config.HEADERS_TIMEOUT_MS,
      },
      listener,
    );
    this.#renew = (pair) => server.setSecureContext({ ...pair, minVersion: MIN_VERSION });
    return server;
  }

  /** Reads the files again if they have changed. */
  async refresh(): Promise<void> {
    await this.#files?.look();
  }

  close(): void {
    this.#files?.close();
  }

  #take([cert = Buffer.alloc(0), key = Buffer.alloc(0)]: readonly Buffer[]): void {
    const pair = { cert, key };
    try {
      createSecureContext({ ...pair, minVersion: MIN_VERSION });
    } catch (error) {
      // OpenSSL's reason is a text like "key values mismatch"; nothing of the files is in it.
      const { reason } = error as { reason?: unknown };
      throw new Error(`not a certificate with its key: ${typeof reason === 'string' ? reason : messageOf(error)}`);
    }
    this.#pair = pair;
    this.#renew(pair);
  }
}
