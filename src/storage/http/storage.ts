import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { diskError } from '../disk-error.ts';
import { shownPlace } from '../shown-place.ts';
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
import { writeWhole } from '../whole-file.ts';
import { isAbsent, refusal, toldFacts } from './answers.ts';
import { discard, HttpClient, type HttpOptions } from './client.ts';
import { getObject } from './get.ts';
import { Pace } from './pace.ts';
import { putObject, type Content } from './put.ts';
import { retrying } from './retry.ts';
import { FileSink, MemorySink } from './sink.ts';

const CHUNK_BYTES = 256 * 1024;

/** Objects behind URLs: GET by ranges, and PUT to presigned URLs. What grants access is in the URL; its query appears in no message. */
export class HttpStorage implements Storage {
  readonly #client: HttpClient;

  constructor(options: HttpOptions) {
    this.#client = new HttpClient(options);
  }

  /** By a GET of one byte, because a presigned URL of a GET does not allow HEAD. */
  head(place: string, { signal }: StorageCall): Promise<ObjectFacts | undefined> {
    const shown = shownPlace(place);
    const { limits } = this.#client;
    return retrying(shown, { ...limits, signal }, async () => {
      const pace = new Pace(limits.paceMs, signal);
      try {
        const headers = { range: 'bytes=0-0' };
        const answer = await this.#client.send(place, { method: 'GET', headers, signal: pace.signal });
        discard(answer);
        if (isAbsent(answer)) return undefined;
        const { size, ...facts } = toldFacts(answer);
        const { statusCode } = answer;
        if (statusCode !== 200 && statusCode !== 206 && !(statusCode === 416 && size === 0))
          throw refusal(answer, shown);
        if (size === undefined) throw new StorageError('NOT_SUPPORTED', `${shown}: the server does not tell its size`);
        return { ...facts, size };
      } catch (error) {
        throw pace.signal.aborted && !(error instanceof StorageError) ? pace.signal.reason : error;
      } finally {
        pace.stop();
      }
    });
  }

  async read(place: string, { limitBytes, ...call }: ReadCall): Promise<Uint8Array> {
    const shown = shownPlace(place);
    const sink = new MemorySink({ limitBytes, shown });
    await getObject({ client: this.#client, place, shown, sink }, call);
    return sink.whole();
  }

  write(place: string, bytes: Uint8Array, call: WriteCall): Promise<void> {
    return this.#put(place, { size: bytes.byteLength, chunks: () => piecesOf(bytes) }, call);
  }

  async download(place: string, file: string, { limitBytes = Infinity, ...call }: DownloadCall): Promise<ObjectFacts> {
    const shown = shownPlace(place);
    try {
      return await writeWhole(file, (handle) => {
        const sink = new FileSink(handle, { limitBytes, shown });
        return getObject({ client: this.#client, place, shown, sink }, call);
      });
    } catch (error) {
      call.signal.throwIfAborted();
      throw diskError(error, shown);
    }
  }

  async upload(file: string, place: string, call: WriteCall): Promise<void> {
    const { size } = await stat(file).catch((error: unknown) => {
      throw diskError(error, file);
    });
    // Not beyond the size: the file may be growing.
    const chunks = (): AsyncIterable<Uint8Array> =>
      size === 0 ? piecesOf(new Uint8Array(0)) : createReadStream(file, { end: size - 1, highWaterMark: CHUNK_BYTES });
    await this.#put(place, { size, chunks }, call);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async *list(prefix: string): AsyncIterable<ListedObject> {
    throw notSupported(prefix, 'cannot be listed');
  }

  remove(place: string): Promise<void> {
    return Promise.reject(notSupported(place, 'cannot be removed'));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #put(place: string, content: Content, call: WriteCall): Promise<void> {
    return putObject({ client: this.#client, place, shown: shownPlace(place) }, content, call);
  }
}

function notSupported(place: string, what: string): StorageError {
  return new StorageError('NOT_SUPPORTED', `${shownPlace(place)}: objects behind URLs ${what}`);
}

async function* piecesOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES)
    yield await Promise.resolve(bytes.subarray(at, at + CHUNK_BYTES));
}
