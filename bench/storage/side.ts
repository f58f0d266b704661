import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { answerMessages } from '../child.ts';

/** One way to move a file, in a process of its own so that its memory can be told from others'. */

export type SideName = 'carpool' | 'sdk';

export interface Transfer {
  readonly side: SideName;
  readonly direction: 'up' | 'down';
  readonly endpoint: string;
  readonly bucket: string;
  readonly key: string;
  readonly file: string;
}

export interface Measured {
  readonly seconds: number;
  /** Resident memory before, in MiB; the client is loaded and has made a request. */
  readonly idleMib: number;
  readonly peakMib: number;
  readonly bytes: number;
}

const PART_BYTES = 10 * 1024 * 1024;
const PARALLEL = 10;
const SAMPLE_MS = 20;
const MIB = 1024 * 1024;

type Move = () => Promise<void>;

async function carpool({ direction, endpoint, bucket, key, file }: Transfer): Promise<Move> {
  const { openStorage } = await import('../../src/storage/open.ts');
  const storage = openStorage({ AWS_ENDPOINT_URL_S3: endpoint, S3_ADDRESSING: 'auto' });
  const { signal } = new AbortController();
  const place = `s3://${bucket}/${key}`;
  await storage.head(place, { signal });
  return async () => {
    if (direction === 'up') await storage.upload(file, place, { signal });
    else await storage.download(place, file, { signal });
  };
}

/** What Amazon's SDK does by itself: `lib-storage` up, one stream down. */
async function sdk({ direction, endpoint, bucket, key, file }: Transfer): Promise<Move> {
  const { GetObjectCommand, ListObjectsV2Command, S3Client } = await import('@aws-sdk/client-s3');
  const { Upload } = await import('@aws-sdk/lib-storage');
  const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1' });
  const place = { Bucket: bucket, Key: key };
  await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return async () => {
    if (direction === 'up') {
      const params = { ...place, Body: createReadStream(file), ContentLength: (await stat(file)).size };
      await new Upload({ client, params, partSize: PART_BYTES, queueSize: PARALLEL }).done();
    } else {
      const { Body } = await client.send(new GetObjectCommand(place));
      await pipeline(Body as Readable, createWriteStream(file));
    }
  };
}

const SIDES = { carpool, sdk };

async function measure(transfer: Transfer): Promise<Measured> {
  const move = await SIDES[transfer.side](transfer);
  globalThis.gc?.();
  const idleMib = process.memoryUsage.rss() / MIB;
  let peakMib = idleMib;
  const timer = setInterval(() => (peakMib = Math.max(peakMib, process.memoryUsage.rss() / MIB)), SAMPLE_MS);
  const startedAt = performance.now();
  await move();
  const seconds = (performance.now() - startedAt) / 1000;
  clearInterval(timer);
  return { seconds, idleMib, peakMib, bytes: (await stat(transfer.file)).size };
}

answerMessages(measure);
