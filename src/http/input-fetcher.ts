import { plainError, ServerError } from '../errors.ts';
import type { PreparedItem } from '../cpu/protocol.ts';
import type { ServedModel } from '../serving/served-model.ts';
import { imageUrlOf } from '../tasks/image/input.ts';
import type { Item } from '../tasks/task.ts';
import { Cancellation } from '../serving/cancellation.ts';
import type { Deadline } from '../serving/deadline.ts';
import type { BodyBudget, BudgetShare } from './body-budget.ts';
import { fetchInput, type FetchedInput, type FetchLimits } from './input-url.ts';
import { Semaphore } from './semaphore.ts';

/** The tasks whose items may name an image by URL. */
const TASKS: ReadonlySet<string> = new Set(['image-classification', 'image-to-image']);
/** An image that takes longer is refused, so that the others of its request need not wait for it. */
const LONGEST_FETCH_MS = 10_000;
/** Fetches at one time, over all requests; further ones wait for their turn. What they hold is bounded by the budget. */
const MOST_FETCHES = 128;
/** Of one client: one with many slow URLs leaves half of the places to others. */
const MOST_OF_CLIENT = 64;
/** Of one host: a slow one leaves places for the others. */
const MOST_OF_HOST = 8;
/** Of one request, so that others get places. */
const MOST_OF_ONE = 4;
/** Most fetches that wait; the request of each keeps its connection open. */
const MOST_WAITING = 4096;

export interface InputFetcherOptions {
  /** `off`, `public` (addresses of the internet alone) or `any`. */
  readonly mode: string;
  /** Largest input. */
  readonly limitBytes: number;
  readonly budget: BodyBudget;
  /** Default: over HTTP. */
  readonly fetch?: (url: string, limits: FetchLimits) => Promise<FetchedInput>;
}

/** The request whose inputs are fetched: an exchange. */
export interface Requester {
  readonly cancellation: Cancellation;
  readonly deadline: Deadline;
  /** Its client, for the client's share of the budget. */
  readonly address?: string | undefined;
  releaseLater(release: () => void): void;
}

/** Fetches the inputs that clients name by URL, before their items take permits. */
export class InputFetcher {
  readonly #options: InputFetcherOptions;
  readonly #places = new Semaphore({ places: MOST_FETCHES, mostWaiting: MOST_WAITING });

  constructor(options: InputFetcherOptions) {
    this.#options = options;
  }

  /** Whether the model's items may name anything by URL. */
  takesUrls(model: ServedModel): boolean {
    return this.#options.mode !== 'off' && TASKS.has(model.description.task);
  }

  /**
   * The items, with what was fetched in place of a URL; one that could not be fetched is refused, and no other. Throws DEADLINE_EXCEEDED when the time of the request is up.
   */
  async items(
    requester: Requester,
    items: readonly (Item | PreparedItem)[],
  ): Promise<readonly (Item | PreparedItem)[]> {
    const fetched = [...items];
    // Ends all fetches when one of them ends the request.
    const cancellation = new Cancellation();
    requester.cancellation.add(cancellation);
    let next = 0;
    const follow = async (): Promise<void> => {
      while (next < items.length) {
        const index = next;
        next += 1;
        const item = items[index];
        if (item !== undefined) fetched[index] = await this.#item(item, requester, cancellation);
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(items.length, MOST_OF_ONE) }, follow));
    } catch (error) {
      next = items.length;
      cancellation.cancel();
      throw error;
    } finally {
      requester.cancellation.remove(cancellation);
    }
    return fetched;
  }

  async #item(
    item: Item | PreparedItem,
    requester: Requester,
    cancellation: Cancellation,
  ): Promise<Item | PreparedItem> {
    const url = item.kind === 'json' ? imageUrlOf(item) : undefined;
    if (url === undefined || item.kind !== 'json') return item;
    const { parameters } = item;
    const { deadline } = requester;
    const share = this.#options.budget.share(requester.address);
    const shares = [
      { key: `host ${hostOf(url)}`, places: MOST_OF_HOST },
      { key: `client ${share.client}`, places: MOST_OF_CLIENT },
    ];
    try {
      const waiter = { shares, limitMs: deadline.leftMs(), cancellation };
      const { bytes, contentType } = await this.#places.run(waiter, () =>
        this.#fetch(url, { share, cancellation, leftMs: deadline.leftMs() }),
      );
      requester.releaseLater(() => share.release());
      return { kind: 'raw', contentType, bytes, ...(parameters === undefined ? {} : { parameters }) };
    } catch (thrown) {
      share.release();
      const error = plainError(thrown);
      const { code } = error;
      // If the request is over, its error says that, not that the URL was slow.
      if (deadline.leftMs() <= 0) throw new ServerError('DEADLINE_EXCEEDED');
      if (code !== 'INVALID_INPUT' && code !== 'TOO_LARGE') throw thrown;
      return { kind: 'refused', ...error };
    }
  }

  async #fetch(
    url: string,
    { share, cancellation, leftMs }: { share: BudgetShare; cancellation: Cancellation; leftMs: number },
  ): Promise<FetchedInput> {
    const { mode, limitBytes, fetch = fetchInput } = this.#options;
    const gone = new AbortController();
    const work = { cancel: () => gone.abort() };
    cancellation.add(work);
    try {
      return await fetch(url, {
        limitBytes,
        timeoutMs: Math.max(0, Math.min(leftMs, LONGEST_FETCH_MS)),
        allowPrivate: mode === 'any',
        signal: gone.signal,
        account: share,
      });
    } finally {
      cancellation.remove(work);
    }
  }
}

/** The host whose places a URL takes; an invalid URL fails by itself. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
