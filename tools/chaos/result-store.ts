import { stat, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { FaultyProxy, type Fault } from '../../test/storage/faulty-proxy.ts';
import { S3Server } from '../../test/storage/s3-server.ts';
import type { Cleanup } from './cleanup.ts';

const FAULT_RATE = 0.1;
const FAULTS: readonly Fault[] = [
  { kind: 'refuse', status: 500, code: 'InternalError' },
  { kind: 'refuse', status: 503, code: 'SlowDown' },
  // Carried out, and the answer does not come: only the object itself can tell.
  { kind: 'lose-answer' },
  { kind: 'cut', afterBytes: 0 },
];
const FOLDER = 'results';
const SLOW_MS = 1000;

/** A real S3 server for the answers of jobs, behind a proxy that fails one request in ten. It is looked at where it keeps its files, so also while it does not answer. */
export class ResultStore {
  readonly #server: S3Server;
  readonly #proxy: FaultyProxy;
  /** Which file was first found under a name. */
  readonly #found = new Map<string, string>();
  #isSlow = false;
  #replaced = 0;

  private constructor(server: S3Server, proxy: FaultyProxy, random: () => number) {
    this.#server = server;
    this.#proxy = proxy;
    proxy.faults = async () => {
      if (this.#isSlow) await new Promise((resolve) => setTimeout(resolve, SLOW_MS * random()));
      return random() < FAULT_RATE ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined;
    };
  }

  static async start(cleanup: Cleanup, random: () => number): Promise<ResultStore> {
    const server = await S3Server.start(cleanup);
    return new ResultStore(server, await FaultyProxy.start(cleanup, server.endpoint), random);
  }

  /** What a worker needs to store its answers there. */
  get env(): Readonly<Record<string, string>> {
    return {
      ...this.#server.env,
      AWS_ENDPOINT_URL_S3: this.#proxy.endpoint,
      STORAGE_PLACES: `s3://${this.#server.bucket}/${FOLDER}/`,
    };
  }

  /** Results that were stored anew though they were there. */
  get replaced(): number {
    return this.#replaced;
  }

  placeOf(name: string): string {
    return `s3://${this.#server.bucket}/${FOLDER}/${name}`;
  }

  /** Undefined: it is not there. */
  async read(name: string): Promise<string | undefined> {
    return readFile(path.join(this.#folder, name), 'utf8').catch(() => undefined);
  }

  /** How many results there are. Counts those that were stored anew since the last look. */
  async look(): Promise<number> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names) {
      const { ino, mtimeNs } = await stat(path.join(this.#folder, name), { bigint: true });
      const print = `${ino}-${mtimeNs}`;
      if ((this.#found.get(name) ?? print) !== print) this.#replaced += 1;
      this.#found.set(name, print);
    }
    return names.length;
  }

  restart(): Promise<void> {
    return this.#server.restart();
  }

  pause(): () => void {
    return this.#server.pause();
  }

  slow(): () => void {
    this.#isSlow = true;
    return () => (this.#isSlow = false);
  }

  get #folder(): string {
    return path.join(this.#server.objects, FOLDER);
  }
}
