import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { HeadObjectOutput } from '@aws-sdk/client-s3';
import pLimit, { type LimitFunction } from 'p-limit';
import { messageOf } from '../../errors.ts';
import { diskError } from '../disk-error.ts';
import { fetchRanges, type RangesParts } from '../ranges.ts';
import { writeWhole } from '../whole-file.ts';
import {
  StorageError,
  type DownloadCall,
  type ListedObject,
  type ObjectFacts,
  type ReadCall,
  type Storage,
  type StorageCall,
  type WriteCall,
} from '../storage.ts';
import { bytesBody, filePart } from './body.ts';
import { checksumOf } from './checksum.ts';
import { connectS3, s3Retry, tryAgain, type S3Connection, type S3Options } from './client.ts';
import { PassingError, statusOf, toStorageError } from './errors.ts';
import { putInParts } from './multipart.ts';
import { s3Object, s3PlaceOf, s3Prefix } from './place.ts';
import { newUpload, putObject } from './upload.ts';

/** Objects of S3 and what speaks like it. Its SDK is loaded with the first call. */
export class S3Storage implements Storage {
  readonly #options: S3Options;
  /** Parts, ranges and small objects of all transfers. */
  readonly #limit: LimitFunction;
  #connection: Promise<S3Connection> | undefined;

  constructor(options: S3Options) {
    this.#options = options;
    this.#limit = pLimit(options.tuning.parallel);
  }

  async head(place: string, { signal }: StorageCall): Promise<ObjectFacts | undefined> {
    const head = await this.#head(place, signal);
    return head === undefined ? undefined : factsOf(head);
  }

  read(place: string, { signal, limitBytes, onBytes }: ReadCall): Promise<Uint8Array> {
    return this.#told({ place, signal }, async ({ client, sdk }) => {
      const { bucket, key } = s3Object(place);
      const get = new sdk.GetObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' });
      const attempt = async (abortSignal: AbortSignal): Promise<Uint8Array> => {
        const { Body, ContentLength } = await client.send(get, { abortSignal });
        const body = Body as Readable;
        try {
          return await readLimited(body, { place, limitBytes, size: ContentLength });
        } catch (error) {
          // The SDK's own check of the whole body.
          if (messageOf(error).startsWith('Checksum mismatch')) throw new PassingError('it came with a wrong checksum');
          throw error;
        } finally {
          body.on('error', () => undefined).destroy();
        }
      };
      const bytes = await this.#limit(() => tryAgain(this.#options, signal, attempt));
      onBytes?.(bytes.byteLength);
      return bytes;
    });
  }

  write(place: string, bytes: Uint8Array, call: WriteCall): Promise<void> {
    return this.#told({ place, signal: call.signal }, (connection) => {
      const upload = newUpload({ connection, options: this.#options, place: s3Object(place), call });
      return this.#limit(() => putObject(upload, bytesBody(bytes)));
    });
  }

  download(
    place: string,
    file: string,
    { signal, limitBytes = Infinity, onBytes }: DownloadCall,
  ): Promise<ObjectFacts> {
    return this.#told({ place, file, signal }, async ({ client, sdk }) => {
      const head = await this.#head(place, signal);
      if (head === undefined) throw new StorageError('NOT_FOUND', `${place}: there is no such object`);
      const { bucket, key } = s3Object(place);
      const { ContentLength: size = 0, ETag } = head;
      if (size > limitBytes) throw tooLarge(place, limitBytes);
      const { tuning } = this.#options;
      const check = await checkOf(head, place);
      await mkdir(path.dirname(file), { recursive: true });
      await writeWhole(file, (handle) =>
        fetchRanges({
          size,
          handle,
          signal,
          limit: this.#limit,
          pieceBytes: tuning.partBytes,
          paceMs: tuning.paceMs,
          retry: s3Retry(this.#options, signal),
          onBytes: onBytes ?? ((): void => undefined),
          check,
          async open(range, abortSignal) {
            const Range = range === undefined ? undefined : `bytes=${range[0]}-${range[1]}`;
            const get = new sdk.GetObjectCommand({ Bucket: bucket, Key: key, Range, IfMatch: ETag });
            const { Body, ContentRange, ETag: found } = await client.send(get, { abortSignal });
            const body = Body as Readable;
            if (found === ETag) return { body, isRange: ContentRange?.startsWith(`bytes ${range?.[0]}-`) === true };
            body.on('error', () => undefined).destroy();
            throw changed(place);
          },
          wrongSize: () => new PassingError('the storage sent too few or too many bytes'),
          tooSlow: () => new PassingError('the storage sends too slowly'),
          noRanges: () => new StorageError('NOT_SUPPORTED', `${place}: the storage cannot send a part of an object`),
        }),
      );
      return factsOf(head);
    });
  }

  upload(file: string, place: string, call: WriteCall): Promise<void> {
    return this.#told({ place, file, signal: call.signal }, async (connection) => {
      const upload = newUpload({ connection, options: this.#options, place: s3Object(place), call });
      const handle = await open(file, 'r');
      try {
        const { size, mtimeMs } = await handle.stat();
        const check = async (): Promise<void> => {
          const now = await handle.stat();
          if (now.size !== size || now.mtimeMs !== mtimeMs)
            throw new StorageError('CHANGED', `${place}: the file changed while it was uploaded`);
        };
        if (size <= this.#options.tuning.partBytes)
          await this.#limit(() => putObject(upload, filePart(handle, 0, size)));
        else await putInParts(upload, { handle, size, check }, this.#limit);
      } finally {
        await handle.close();
      }
    });
  }

  async *list(prefix: string, { signal }: StorageCall): AsyncIterable<ListedObject> {
    const { bucket, key } = s3Prefix(prefix);
    let token: string | undefined;
    do {
      const page = await this.#told({ place: prefix, signal }, ({ client, sdk }) =>
        tryAgain(this.#options, signal, (abortSignal) =>
          client.send(
            // Keys may have characters that XML has not.
            new sdk.ListObjectsV2Command({
              Bucket: bucket,
              Prefix: key,
              ContinuationToken: token,
              EncodingType: 'url',
            }),
            { abortSignal },
          ),
        ),
      );
      for (const { Key = '', Size, ETag, LastModified } of page.Contents ?? []) {
        const found = page.EncodingType === 'url' ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key;
        yield { place: s3PlaceOf({ bucket, key: found }), ...factsOf({ ContentLength: Size, ETag, LastModified }) };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  remove(place: string, { signal }: StorageCall): Promise<void> {
    return this.#told({ place, signal }, async ({ client, sdk }) => {
      const { bucket, key } = s3Object(place);
      await tryAgain(this.#options, signal, (abortSignal) =>
        client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }),
      );
    });
  }

  async close(): Promise<void> {
    (await this.#connection?.catch(() => undefined))?.client.destroy();
  }

  #head(place: string, signal: AbortSignal): Promise<HeadObjectOutput | undefined> {
    return this.#told({ place, signal }, async ({ client, sdk }) => {
      const { bucket, key } = s3Object(place);
      const head = new sdk.HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' });
      try {
        return await tryAgain(this.#options, signal, (abortSignal) => client.send(head, { abortSignal }));
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    });
  }

  /** Runs a call; what it rejects with becomes what the interface promises. `file` is the local one. */
  async #told<Result>(
    { place, file = place, signal }: { place: string; file?: string; signal: AbortSignal },
    call: (connection: S3Connection) => Promise<Result>,
  ): Promise<Result> {
    try {
      signal.throwIfAborted();
      this.#connection ??= connectS3(this.#options);
      return await call(await this.#connection);
    } catch (error) {
      signal.throwIfAborted();
      throw diskError(toStorageError(error, place), file);
    }
  }
}

function factsOf({ ContentLength, ETag, ContentType, LastModified }: HeadObjectOutput): ObjectFacts {
  return {
    size: ContentLength ?? 0,
    ...(ETag === undefined ? {} : { validator: ETag }),
    ...(ContentType === undefined ? {} : { contentType: ContentType }),
    ...(LastModified === undefined ? {} : { modified: LastModified }),
  };
}

async function checkOf(head: HeadObjectOutput, place: string): Promise<RangesParts['check']> {
  const hash = await checksumOf(head, s3Object(place).bucket);
  const wrong = (): Error => new StorageError('UNAVAILABLE', `${place}: it came with a wrong checksum`);
  return hash === undefined ? undefined : { hash, wrong };
}

function changed(place: string): StorageError {
  return new StorageError('CHANGED', `${place}: it changed while it was read`);
}

function tooLarge(place: string, limitBytes: number): StorageError {
  return new StorageError('TOO_LARGE', `${place}: it has more than ${limitBytes} bytes`);
}

async function readLimited(
  body: Readable,
  { place, limitBytes, size }: { place: string; limitBytes: number; size: number | undefined },
): Promise<Uint8Array> {
  if (size !== undefined && size > limitBytes) throw tooLarge(place, limitBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw tooLarge(place, limitBytes);
    chunks.push(chunk);
  }
  if (size !== undefined && bytes !== size) throw new PassingError('the storage sent too few bytes');
  return new Uint8Array(Buffer.concat(chunks));
}
