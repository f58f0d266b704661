/**
 * Stored objects, wherever they are. A place is `s3://bucket/key`, `https://...` (or `http://...`), or `file:///...` with an absolute path.
 * Each method rejects with a StorageError, with the error of the local file or disk, or once the signal is aborted with its reason; passing failures
 * have been retried by then.
 */
export interface Storage {
  /** What is known of an object without its bytes; undefined: there is none. */
  head(place: string, options: StorageCall): Promise<ObjectFacts | undefined>;
  /** A small object in memory. Rejects with TOO_LARGE above `limitBytes`, and with NOT_FOUND if there is none. */
  read(place: string, options: ReadCall): Promise<Uint8Array>;
  /** Stores bytes whole or not at all. */
  write(place: string, bytes: Uint8Array, options: WriteCall): Promise<void>;
  /** Brings an object to a file, whole or not at all: by parallel ranges to a temporary file beside it, which is checked, synchronised and renamed. */
  download(place: string, file: string, options: DownloadCall): Promise<ObjectFacts>;
  /** Stores a file in parallel parts, whole or not at all. Resolves when it is stored. */
  upload(file: string, place: string, options: WriteCall): Promise<void>;
  /** All objects whose place begins with the prefix, page by page. */
  list(prefix: string, options: StorageCall): AsyncIterable<ListedObject>;
  /** Removes an object; there may be none. */
  remove(place: string, options: StorageCall): Promise<void>;
  /** Closes connections. Call it once, after the last call has ended. */
  close(): Promise<void>;
}

export interface StorageCall {
  /** Ends the call. */
  readonly signal: AbortSignal;
  /** Called with the number of bytes that were moved since the last time; negative if some must be moved again. */
  readonly onBytes?: (bytes: number) => void;
}

export interface ReadCall extends StorageCall {
  readonly limitBytes: number;
}

export interface DownloadCall extends StorageCall {
  /** Rejects with TOO_LARGE above it, before more is on the disk; default: none. */
  readonly limitBytes?: number;
}

export interface WriteCall extends StorageCall {
  readonly contentType?: string;
  /** Rejects with EXISTS if there is something already (`If-None-Match: *`), and changes nothing then. */
  readonly onlyIfAbsent?: boolean;
}

export interface ObjectFacts {
  /** In bytes. */
  readonly size: number;
  /** Another one means other bytes: an ETag or the like. */
  readonly validator?: string;
  readonly contentType?: string;
  readonly modified?: Date;
}

export interface ListedObject extends ObjectFacts {
  readonly place: string;
}

/**
 * `CHANGED`: the object became another one while it was read. `NOT_SUPPORTED`: places of this kind cannot do that. `BAD_PLACE`: it is no place, or
 * not an allowed one. `UNAVAILABLE`: the storage does not answer as it should, after all tries.
 */
export type StorageErrorKind =
  'NOT_FOUND' | 'FORBIDDEN' | 'EXISTS' | 'TOO_LARGE' | 'CHANGED' | 'NOT_SUPPORTED' | 'BAD_PLACE' | 'UNAVAILABLE';

/** Why a storage did not do what it was asked for. The message names the place, without what grants access to it (a query, a password). */
export class StorageError extends Error {
  readonly kind: StorageErrorKind;

  constructor(kind: StorageErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StorageError';
    this.kind = kind;
  }
}
