import type { Config } from '../config/options.ts';
import { CountedStorage, type StorageEvents } from './counted.ts';
import { FileStorage } from './file/storage.ts';
import { HttpStorage } from './http/storage.ts';
import { S3_TUNING } from './s3/client.ts';
import { S3Storage } from './s3/storage.ts';
import {
  StorageError,
  type DownloadCall,
  type ListedObject,
  type ObjectFacts,
  type ReadCall,
  type Storage,
  type StorageCall,
  type WriteCall,
} from './storage.ts';

export type StorageConfig = Pick<Config, 'AWS_ENDPOINT_URL_S3' | 'S3_ADDRESSING'>;

export interface StorageParts {
  readonly events?: StorageEvents;
  /** Whether the host of a URL may be at an address of this machine or its networks; default: none. */
  readonly allowsPrivate?: (url: URL) => boolean;
}

function openS3({ AWS_ENDPOINT_URL_S3, S3_ADDRESSING }: StorageConfig, { events }: StorageParts): Storage {
  return new S3Storage({
    endpoint: AWS_ENDPOINT_URL_S3,
    addressing: S3_ADDRESSING,
    tuning: S3_TUNING,
    onRetry: () => events?.retried('s3'),
  });
}

type Open = (config: StorageConfig, parts: StorageParts, scheme: string) => Storage;

function openHttp(
  _config: StorageConfig,
  { events, allowsPrivate = () => false }: StorageParts,
  scheme: string,
): Storage {
  return new HttpStorage({ allowsPrivate, limits: { onRetry: () => events?.retried(scheme) } });
}

/** The kinds of places, by the scheme of their URL. Each is opened only when it is used. */
const KINDS: ReadonlyMap<string, Open> = new Map([
  ['s3', openS3],
  ['https', openHttp],
  ['http', openHttp],
  ['file', () => new FileStorage()],
]);

/** All storages as one: the scheme of a place says which. Nothing is connected before the first call. */
export function openStorage(config: StorageConfig, parts: StorageParts = {}): Storage {
  const opened = new Map<string, Storage>();
  return new StorageByScheme(opened, (scheme) => {
    const open = KINDS.get(scheme);
    if (open === undefined) return undefined;
    const storage = open(config, parts, scheme);
    return parts.events === undefined ? storage : new CountedStorage(storage, scheme, parts.events);
  });
}

class StorageByScheme implements Storage {
  readonly #opened: Map<string, Storage>;
  readonly #open: (scheme: string) => Storage | undefined;

  constructor(opened: Map<string, Storage>, open: (scheme: string) => Storage | undefined) {
    this.#opened = opened;
    this.#open = open;
  }

  async head(place: string, call: StorageCall): Promise<ObjectFacts | undefined> {
    return this.#of(place).head(place, call);
  }

  async read(place: string, call: ReadCall): Promise<Uint8Array> {
    return this.#of(place).read(place, call);
  }

  async write(place: string, bytes: Uint8Array, call: WriteCall): Promise<void> {
    return this.#of(place).write(place, bytes, call);
  }

  async download(place: string, file: string, call: DownloadCall): Promise<ObjectFacts> {
    return this.#of(place).download(place, file, call);
  }

  async upload(file: string, place: string, call: WriteCall): Promise<void> {
    return this.#of(place).upload(file, place, call);
  }

  list(prefix: string, call: StorageCall): AsyncIterable<ListedObject> {
    return this.#of(prefix).list(prefix, call);
  }

  async remove(place: string, call: StorageCall): Promise<void> {
    return this.#of(place).remove(place, call);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened.values()].map((storage) => storage.close()));
  }

  #of(place: string): Storage {
    const [, scheme = ''] = /^([a-z0-9]+):\/\//i.exec(place) ?? [];
    const name = scheme.toLowerCase();
    const storage = this.#opened.get(name) ?? this.#open(name);
    if (storage === undefined)
      throw new StorageError(
        'BAD_PLACE',
        `a place must begin with one of ${[...KINDS.keys()].map((kind) => `${kind}://`).join(', ')}`,
      );
    this.#opened.set(name, storage);
    return storage;
  }
}
