import { pathToFileURL } from 'node:url';
import { ServerError } from '../errors.ts';
import type { DiskCache } from './cache/cache.ts';
import { FileStorage } from './file/storage.ts';
import type { Places } from './places.ts';
import { shownPlace } from './shown-place.ts';
import { StorageError, type ObjectFacts, type Storage } from './storage.ts';

/** Who is told of memory before it is used, and may refuse it by throwing. */
export interface MemoryAccount {
  take(bytes: number): void;
  give(bytes: number): void;
}

/** How often an object that has grown between the question and the reading is asked for again. */
const MOST_TRIES = 3;

export interface InputCall {
  readonly limitBytes: number;
  readonly account: MemoryAccount;
  readonly signal: AbortSignal;
}

export interface StoredInput {
  readonly bytes: Uint8Array;
  /** In lower case, without parameters; '' if it is not known. */
  readonly contentType: string;
}

export interface StoredInputsParts {
  readonly places: Places;
  readonly storage: Pick<Storage, 'head' | 'read'>;
  /** Without one, what is asked for twice is fetched twice. */
  readonly cache?: () => Pick<DiskCache, 'get'> | undefined;
}

/** Reads what a request or a job names by its place instead of holding it. */
export class StoredInputs {
  readonly places: Places;
  readonly #parts: StoredInputsParts;
  readonly #files = new FileStorage();

  constructor(parts: StoredInputsParts) {
    this.places = parts.places;
    this.#parts = parts;
  }

  /**
   * The bytes of a place, whose memory is taken from the account before they come. Rejects with a ServerError: INVALID_INPUT for a place that is not
   * allowed or cannot be read, TOO_LARGE above the limit, STORAGE_UNAVAILABLE where a later try may help, and what the account throws; and with the signal's reason.
   */
  async read(place: string, call: InputCall): Promise<StoredInput> {
    const { places } = this.#parts;
    const cache = this.#parts.cache?.();
    try {
      await places.check(place);
      // A file of this machine would only be copied.
      if (cache === undefined || /^file:/i.test(place)) return await this.#direct(place, call);
      return await this.#cached(place, cache, call);
    } catch (error) {
      call.signal.throwIfAborted();
      throw placeRefusal(error);
    }
  }

  async #direct(place: string, { limitBytes, account, signal }: InputCall): Promise<StoredInput> {
    const { storage } = this.#parts;
    for (let tries = 1; ; tries += 1) {
      const facts = await storage.head(place, { signal });
      if (facts === undefined) throw new StorageError('NOT_FOUND', `${shownPlace(place)}: there is no such object`);
      take(place, facts, { limitBytes, account });
      try {
        const bytes = await storage.read(place, { signal, limitBytes: facts.size });
        return { bytes, contentType: typeOf(facts) };
      } catch (error) {
        const hasGrown = error instanceof StorageError && error.kind === 'TOO_LARGE';
        if (!hasGrown || tries === MOST_TRIES) throw error;
        account.give(facts.size);
      }
    }
  }

  async #cached(
    place: string,
    cache: Pick<DiskCache, 'get'>,
    { limitBytes, account, signal }: InputCall,
  ): Promise<StoredInput> {
    const got = await cache.get(place, { signal, limitBytes });
    // It finds no room there.
    if (got === undefined) return this.#direct(place, { limitBytes, account, signal });
    const { file, facts, release } = got;
    try {
      take(place, facts, { limitBytes, account });
      const bytes = await this.#files.read(pathToFileURL(file).href, { signal, limitBytes: facts.size });
      return { bytes, contentType: typeOf(facts) };
    } finally {
      release();
    }
  }
}

function take(place: string, { size }: ObjectFacts, { limitBytes, account }: Omit<InputCall, 'signal'>): void {
  if (size > limitBytes) throw new StorageError('TOO_LARGE', `${shownPlace(place)}: larger than ${limitBytes} bytes`);
  account.take(size);
}

function typeOf({ contentType = '' }: ObjectFacts): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** The error of a request for one of a place; other errors are returned as they are. */
export function placeRefusal(error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  const { kind, message } = error;
  if (kind === 'UNAVAILABLE')
    return new ServerError('STORAGE_UNAVAILABLE', message, { retryAfterMs: 1000, cause: error });
  return new ServerError(kind === 'TOO_LARGE' ? 'TOO_LARGE' : 'INVALID_INPUT', message, { cause: error });
}
