import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { S3_TUNING } from '../../../src/storage/s3/client.ts';
import { S3Storage } from '../../../src/storage/s3/storage.ts';
import { FaultyProxy } from '../faulty-proxy.ts';
import { S3Server } from '../s3-server.ts';

export const MIB = 1024 * 1024;

/** The smallest parts that S3 takes, and waits that tests can afford. */
export const TUNING = { ...S3_TUNING, partBytes: 5 * MIB, attempts: 4, firstDelayMs: 1 };

export interface Rig {
  readonly server: S3Server;
  /** Between the storage and the server. */
  readonly proxy: FaultyProxy;
  readonly storage: S3Storage;
  readonly signal: AbortSignal;
  /** A folder that is gone after the test. */
  readonly folder: string;
  readonly retries: () => number;
  readonly place: (key: string) => string;
  /** A file of random bytes. */
  readonly file: (name: string, size: number) => Promise<{ file: string; bytes: Buffer }>;
}

/** A storage before a real S3 server, with a proxy between them. */
export async function startRig(t: TestContext, tuning: Partial<typeof TUNING> = {}): Promise<Rig> {
  const server = await S3Server.start(t);
  const proxy = await FaultyProxy.start(t, server.endpoint);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-storage-'));
  let retries = 0;
  const storage = new S3Storage({
    endpoint: proxy.endpoint,
    addressing: 'auto',
    tuning: { ...TUNING, ...tuning },
    onRetry: () => (retries += 1),
  });
  t.after(async () => {
    await storage.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    server,
    proxy,
    storage,
    folder,
    signal: new AbortController().signal,
    retries: () => retries,
    place: (key) => `s3://${server.bucket}/${key}`,
    async file(name, size) {
      const bytes = randomBytes(size);
      const file = path.join(folder, name);
      await writeFile(file, bytes);
      return { file, bytes };
    },
  };
}
