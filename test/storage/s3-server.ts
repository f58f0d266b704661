import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';

const BINARY = process.env['CARPOOL_VERSITYGW'] ?? 'versitygw';

/** False, or why tests that need a real S3 server are skipped. */
export const withoutS3: false | string =
  spawnSync(BINARY, ['--version']).status === 0
    ? false
    : 'versitygw is not installed (go install github.com/versity/versitygw/cmd/versitygw, or its path in CARPOOL_VERSITYGW)';

/** A Versity S3 Gateway of its own on a free port of the loopback interface, with its objects in a temporary folder; gone after the test. */
export class S3Server {
  readonly accessKeyId = 'test-access';
  readonly secretAccessKey = 'test-secret-of-no-worth';
  readonly bucket = 'bucket';
  readonly port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  /** Sets the SDK's variables for this process; other processes get them by `env`. */
  static async start(t: Pick<TestContext, 'after'>): Promise<S3Server> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-s3-'));
    const server = new S3Server(await freePort(), folder);
    t.after(async () => {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    });
    for (const name of ['objects', 'objects/bucket', 'facts']) await mkdir(path.join(folder, name));
    Object.assign(process.env, server.env);
    await server.restart();
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What programs need to use it. */
  get env(): Record<string, string> {
    return {
      AWS_ACCESS_KEY_ID: this.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.secretAccessKey,
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL_S3: this.endpoint,
    };
  }

  /** It keeps its objects. */
  async restart(): Promise<void> {
    await this.kill();
    const child = spawn(
      BINARY,
      [
        ...['--port', `127.0.0.1:${this.port}`, '--access', this.accessKeyId, '--secret', this.secretAccessKey],
        ...['--quiet', '--keep-alive', '--health', '/health'],
        ...['posix', '--sidecar', path.join(this.#folder, 'facts'), path.join(this.#folder, 'objects')],
      ],
      { stdio: 'ignore' },
    );
    this.#process = child;
    await this.#ready(child);
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

  /** Where the bucket's objects are files. */
  get objects(): string {
    return path.join(this.#folder, 'objects', this.bucket);
  }

  /** The objects that there are. */
  async files(): Promise<string[]> {
    const names = await readdir(this.objects, { recursive: true, withFileTypes: true });
    return names
      .filter((name) => name.isFile() && !name.parentPath.includes('.sgwtmp'))
      .map((name) => path.join(name.parentPath, name.name));
  }

  /** Keys of uploads that were begun and have neither been completed nor removed. */
  async uploads(): Promise<string[]> {
    const client = new S3Client({ endpoint: this.endpoint, forcePathStyle: true, region: 'us-east-1' });
    try {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: this.bucket }));
      return Uploads.map(({ Key = '' }) => Key);
    } finally {
      client.destroy();
    }
  }

  async #ready(child: ChildProcess): Promise<void> {
    for (let tries = 0; tries < 600; tries += 1) {
      assert.equal(child.exitCode, null, 'the S3 server has ended');
      const answer = await fetch(`${this.endpoint}/health`).catch(() => undefined);
      if (answer?.ok === true) return;
      await sleep(50);
    }
    throw new Error('the S3 server does not answer');
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
