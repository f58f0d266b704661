import { plainError, ServerError } from '../errors.ts';
import type { PreparedItem } from '../cpu/protocol.ts';
import type { ServedModel } from '../serving/served-model.ts';
import { mayNameUrl, urlOf } from '../tasks/item-url.ts';
import type { Item } from '../tasks/task.ts';
import { Cancellation, withSignal } from '../serving/cancellation.ts';
import type { Deadline } from '../serving/deadline.ts';
import type { BodyBudget, BudgetShare } from './body-budget.ts';
import { traceparentOf, type Trace } from '../tracing/tracer.ts';
import { fetchInput, type FetchedInput, type FetchLimits } from './input-url.ts';
import { Semaphore } from './semaphore.ts';
import type { StoredInputs } from '../storage/stored-inputs.ts';

/** An image that takes longer is refused, so that the others of its request need not wait for it. What else is named is larger, and has the time of its request. */
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
  /** Inputs in places that the operator has named; absent: there are none. */
  readonly stored?: StoredInputs;
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
  /** What its fetches are part of; absent: no trace. */
  readonly trace?: Trace | undefined;
  /** Its client, for the client's share of the budget. */
  readonly address?: string | undefined;
  readonly onFetching?: ((isFetching: boolean) => void) | undefined;
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
  takesUrls({ description }: ServedModel): boolean {
    const { mode, stored } = this.#options;
    return (mode !== 'off' || stored?.places.isEmpty === false) && mayNameUrl(description.task);
  }

  /**
   * The items, with what was fetched in place of a URL; one that could not be fetched is refused, and no other. Throws DEADLINE_EXCEEDED when the time of the request is up.
   */
  async items(
    requester: Requester,
    items: readonly (Item | PreparedItem)[],
    { description: { task } }: Pick<ServedModel, 'description'>,
  ): Promise<readonly (Item | PreparedItem)[]> {
    if (!items.some((item) => urlIn(item, task) !== undefined)) return items;
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
        if (item !== undefined) fetched[index] = await this.#item(item, { requester, cancellation, task });
      }
    };
    requester.onFetching?.(true);
    try {
      await Promise.all(Array.from({ length: Math.min(items.length, MOST_OF_ONE) }, follow));
    } catch (error) {
      next = items.length;
      cancellation.cancel();
      throw error;
    } finally {
      requester.cancellation.remove(cancellation);
      requester.onFetching?.(false);
    }
    return fetched;
  }

  async #item(
    item: Item | PreparedItem,
    { requester, cancellation, task }: { requester: Requester; cancellation: Cancellation; task: string },
  ): Promise<Item | PreparedItem> {
    const url = urlIn(item, task);
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
        this.#fetch(url, {
          share,
          cancellation,
          limitMs: Math.max(0, Math.min(deadline.leftMs(), longestMs(task))),
          trace: requester.trace,
        }),
      );
      requester.releaseLater(() => share.release());
      return {
        kind: 'raw',
        contentType: mediaType(contentType),
        bytes,
        ...(parameters === undefined ? {} : { parameters }),
      };
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

  #fetch(url: string, { share, cancellation, limitMs, trace }: FetchCall): Promise<FetchedInput> {
    const { mode, limitBytes, stored, fetch = fetchInput } = this.#options;
    return withSignal(cancellation, async (signal, end) => {
      // What is neither an address of the internet nor a place of the operator's fails there.
      if (stored !== undefined && (mode === 'off' || !/^https?:/i.test(url) || stored.places.names(url))) {
        const tooSlow = new ServerError('INVALID_INPUT', 'The URL was not answered in time.');
        // A moment later, so that a deadline has surely passed by then.
        const late = setTimeout(() => end(tooSlow), Math.ceil(limitMs) + 1);
        return stored.read(url, { limitBytes, account: share, signal }).finally(() => clearTimeout(late));
      }
      const traceparent = trace === undefined ? undefined : traceparentOf(trace);
      return fetch(url, {
        limitBytes,
        timeoutMs: limitMs,
        allowPrivate: mode === 'any',
        signal,
        account: share,
        traceparent,
      });
    });
  }
}

interface FetchCall {
  readonly share: BudgetShare;
  readonly cancellation: Cancellation;
  readonly limitMs: number;
  readonly trace: Trace | undefined;
}

function urlIn(item: Item | PreparedItem, task: string): string | undefined {
  return item.kind === 'json' ? urlOf(item, task) : undefined;
}

function longestMs(task: string): number {
  return task === 'transcription' ? Infinity : LONGEST_FETCH_MS;
}

/** Storages often have no useful type; then the bytes decide. */
function mediaType(contentType: string): string {
  return /^(image|audio|video)\//.test(contentType) ? contentType : 'application/octet-stream';
}

/** The host whose places a URL takes; an invalid URL fails by itself. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
