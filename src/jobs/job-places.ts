import type { Clock } from '../core/ticket.ts';
import type { Answer } from '../dialects/shared/operation.ts';
import { messageOf, ServerError } from '../errors.ts';
import { plainPlace, shownPlace } from '../storage/shown-place.ts';
import { StorageError, type Storage } from '../storage/storage.ts';
import { placeRefusal, type MemoryAccount, type StoredInputs } from '../storage/stored-inputs.ts';
import { retryDelayMs } from './backoff.ts';
import type { PlaceReference } from './place-reference.ts';

/** Tries to store an answer, each with the tries of the storage itself: it has cost more than all of them. */
const STORE_TRIES = 3;

export interface JobPlacesParts {
  readonly inputs: Pick<StoredInputs, 'places' | 'read'>;
  readonly storage: Pick<Storage, 'write'>;
  /** The memory of bodies that are fetched. */
  readonly budget: { share(client: string): MemoryAccount & { release(): void } };
  /** Largest body. */
  readonly limitBytes: number;
  readonly clock: Clock;
}

/** A body that was fetched; its memory is given back by `release`. */
export interface FetchedBody {
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  readonly release: () => void;
}

/** What stands in a result in place of the answer. */
export interface StoredAnswer {
  /** The place, without what grants access to it. */
  readonly stored_at: string;
  readonly bytes: number;
  readonly content_type: string;
  /** Something was there already, which was not replaced: an earlier attempt of the job has stored it. */
  readonly existed?: true;
}

/** Bodies and answers of jobs that lie elsewhere. */
export class JobPlaces {
  readonly #parts: JobPlacesParts;

  constructor(parts: JobPlacesParts) {
    this.#parts = parts;
  }

  /** Rejects with INVALID_INPUT unless an answer may be stored there: known before the answer is computed. */
  async checkOutput({ place }: PlaceReference): Promise<void> {
    try {
      if (/^(s3|file):.*\/$/i.test(place))
        throw new StorageError('BAD_PLACE', `${shownPlace(place)}: this is a folder; name an object.`);
      await this.#parts.inputs.places.check(place);
    } catch (error) {
      throw placeRefusal(error);
    }
  }

  /** Rejects with a ServerError, or the signal's reason. */
  async fetchBody({ place, contentType }: PlaceReference, signal: AbortSignal): Promise<FetchedBody> {
    const { inputs, budget, limitBytes } = this.#parts;
    const share = budget.share('jobs');
    const release = (): void => share.release();
    try {
      const fetched = await inputs.read(place, { limitBytes, account: share, signal });
      return { bytes: fetched.bytes, contentType: contentType ?? typeOf(fetched.contentType), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * Stores an answer; resolves when it is there. What is there already stays, as far as the storage can tell: the answer is there once, however often the
   * job runs. Rejects with STORAGE_UNAVAILABLE after all tries, INVALID_INPUT for a presigned URL that is refused, or the signal's reason.
   */
  async store(output: PlaceReference, answer: Answer, signal: AbortSignal): Promise<StoredAnswer> {
    const { place, contentType = answer.contentType } = output;
    const [first, ...others] = answer.chunks;
    const bytes = first !== undefined && others.length === 0 ? first : Buffer.concat(answer.chunks);
    const existed = await this.#write(place, { bytes, contentType }, signal);
    const stored = { stored_at: plainPlace(place), bytes: bytes.byteLength, content_type: contentType };
    return existed ? { ...stored, existed } : stored;
  }

  /** Whether something was there already. */
  async #write(
    place: string,
    { bytes, contentType }: { readonly bytes: Uint8Array; readonly contentType: string },
    signal: AbortSignal,
  ): Promise<boolean> {
    // A presigned PUT has its conditions in its signature.
    let onlyIfAbsent = !/^https?:/i.test(place);
    for (let tries = 1; ;) {
      try {
        await this.#parts.storage.write(place, bytes, { signal, contentType, onlyIfAbsent });
        return false;
      } catch (error) {
        signal.throwIfAborted();
        const kind = error instanceof StorageError ? error.kind : undefined;
        if (kind === 'EXISTS') return true;
        if (kind === 'NOT_SUPPORTED' && onlyIfAbsent) onlyIfAbsent = false;
        else if (kind === 'UNAVAILABLE' && tries < STORE_TRIES) {
          await this.#wait(retryDelayMs(tries), signal);
          tries += 1;
        } else throw notStored(place, error);
      }
    }
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        forget();
        reject(signal.reason as Error);
      };
      const forget = this.#parts.clock.after(delayMs, () => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}

/** A presigned URL comes from the job: one that is refused stays so, wherever the job is tried again. */
function notStored(place: string, error: unknown): ServerError {
  const isRefused = /^https?:/i.test(place) && error instanceof StorageError && error.kind !== 'UNAVAILABLE';
  const code = isRefused ? 'INVALID_INPUT' : 'STORAGE_UNAVAILABLE';
  return new ServerError(code, `The answer was not stored. ${messageOf(error)}`, { cause: error });
}

/** Storages often have no useful type: what they do not call a picture or a sound is read as JSON. */
function typeOf(contentType: string): string | undefined {
  return /^(image|audio|video)\//.test(contentType) ? contentType : undefined;
}
