import { performance } from 'node:perf_hooks';
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

export type Direction = 'up' | 'down';

/** Called with what happens, for metrics. */
export interface StorageEvents {
  /** Bytes that were moved, among them those of attempts that failed. */
  moved(scheme: string, direction: Direction, bytes: number): void;
  ended(call: EndedCall): void;
  retried(scheme: string): void;
}

export interface EndedCall {
  readonly scheme: string;
  /** Name of the method. */
  readonly operation: string;
  /** `ok`, `cancelled`, the kind of a StorageError, or `error`. */
  readonly outcome: string;
  readonly seconds: number;
  readonly direction: Direction | undefined;
  readonly bytes: number;
}

/** A storage whose calls are counted. */
export class CountedStorage implements Storage {
  readonly #inner: Storage;
  readonly #scheme: string;
  readonly #events: StorageEvents;

  constructor(inner: Storage, scheme: string, events: StorageEvents) {
    this.#inner = inner;
    this.#scheme = scheme;
    this.#events = events;
  }

  head(place: string, call: StorageCall): Promise<ObjectFacts | undefined> {
    return this.#count('head', call, (counted) => this.#inner.head(place, counted));
  }

  read(place: string, call: ReadCall): Promise<Uint8Array> {
    return this.#count('read', call, (counted) => this.#inner.read(place, counted), 'down');
  }

  write(place: string, bytes: Uint8Array, call: WriteCall): Promise<void> {
    return this.#count('write', call, (counted) => this.#inner.write(place, bytes, counted), 'up');
  }

  download(place: string, file: string, call: DownloadCall): Promise<ObjectFacts> {
    return this.#count('download', call, (counted) => this.#inner.download(place, file, counted), 'down');
  }

  upload(file: string, place: string, call: WriteCall): Promise<void> {
    return this.#count('upload', call, (counted) => this.#inner.upload(file, place, counted), 'up');
  }

  /** Counted by page would be of no use to anyone. */
  list(prefix: string, call: StorageCall): AsyncIterable<ListedObject> {
    return this.#inner.list(prefix, call);
  }

  remove(place: string, call: StorageCall): Promise<void> {
    return this.#count('remove', call, (counted) => this.#inner.remove(place, counted));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #count<Call extends StorageCall, Result>(
    operation: string,
    call: Call,
    run: (counted: Call) => Promise<Result>,
    direction?: Direction,
  ): Promise<Result> {
    const scheme = this.#scheme;
    const startedAt = performance.now();
    let moved = 0;
    const onBytes = (bytes: number): void => {
      moved += bytes;
      // What must be moved again was moved all the same.
      if (direction !== undefined && bytes > 0) this.#events.moved(scheme, direction, bytes);
      call.onBytes?.(bytes);
    };
    const end = (outcome: string): void => {
      const seconds = (performance.now() - startedAt) / 1000;
      this.#events.ended({ scheme, operation, outcome, seconds, direction, bytes: moved });
    };
    try {
      const result = await run({ ...call, onBytes });
      end('ok');
      return result;
    } catch (error) {
      end(call.signal.aborted ? 'cancelled' : error instanceof StorageError ? error.kind.toLowerCase() : 'error');
      throw error;
    }
  }
}
