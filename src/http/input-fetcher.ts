import { ServerError, toServerError } from '../errors.ts';
import type { PreparedItem } from '../pool/cpu.ts';
import type { ServedModel } from '../serving/served-model.ts';
import { imageUrlOf } from '../tasks/image-input.ts';
import type { Item } from '../tasks/task.ts';
import type { Cancellation } from '../serving/cancellation.ts';
import type { BodyBudget } from './body.ts';
import { fetchInput, type FetchedInput, type FetchLimits } from './input-url.ts';

/** The tasks whose items may name an image by URL. */
const TASKS: ReadonlySet<string> = new Set(['image-classification', 'image-to-image']);
/** A picture that takes longer is not worth the wait of the others in its request. */
const LONGEST_FETCH_MS = 10_000;
/** Fetches at one time, over all requests; further ones wait for their turn. */
const MOST_FETCHES = 32;
/** Of one request, so that others find a place. */
const MOST_OF_ONE = 4;

export interface InputFetcherOptions {
  /** `off`, `public` (addresses of the internet alone) or `any`. */
  readonly mode: string;
  /** Largest input. */
  readonly limitBytes: number;
  readonly budget: BodyBudget;
  /** Default: over HTTP. */
  readonly fetch?: (url: string, limits: FetchLimits) => Promise<FetchedInput>;
}

/** The request that wants the inputs: an exchange. */
export interface Requester {
  readonly cancellation: Cancellation;
  releaseLater(release: () => void): void;
}

/** Gets the inputs that clients name by URL, before their items take their turn. */
export class InputFetcher {
  readonly #options: InputFetcherOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: InputFetcherOptions) {
    this.#options = options;
  }

  /**
   * The items, with what was fetched in place of a URL; one that could not be fetched is refused, and no other. Nothing is fetched for a
   * request that would be refused anyhow. Throws DEADLINE_EXCEEDED when the time of the request is up.
   */
  async items(
    requester: Requester,
    { model, timeoutMs }: { model: ServedModel; timeoutMs: number },
    items: readonly (Item | PreparedItem)[],
  ): Promise<readonly (Item | PreparedItem)[]> {
    if (this.#options.mode === 'off' || !TASKS.has(model.description.task) || items.length > model.queueItems)
      return items;
    const fetched = [...items];
    const deadlineMs = performance.now() + timeoutMs;
    let next = 0;
    const follow = async (): Promise<void> => {
      while (next < items.length) {
        const index = next;
        next += 1;
        const item = items[index];
        if (item !== undefined) fetched[index] = await this.#item(requester, item, deadlineMs);
      }
    };
    await Promise.all(Array.from({ length: MOST_OF_ONE }, follow));
    return fetched;
  }

  async #item(requester: Requester, item: Item | PreparedItem, deadlineMs: number): Promise<Item | PreparedItem> {
    const url = item.kind === 'json' ? imageUrlOf(item) : undefined;
    if (url === undefined || item.kind !== 'json') return item;
    const { parameters } = item;
    try {
      const { bytes, contentType } = await this.#inTurn(requester, deadlineMs, (leftMs) => this.#fetch(url, leftMs));
      const { budget } = this.#options;
      budget.take(bytes.byteLength);
      requester.releaseLater(() => budget.give(bytes.byteLength));
      return { kind: 'raw', contentType, bytes, ...(parameters === undefined ? {} : { parameters }) };
    } catch (thrown) {
      const { code, message } = toServerError(thrown);
      if (code !== 'INVALID_INPUT' && code !== 'TOO_LARGE') throw thrown;
      return { kind: 'refused', code, message };
    }
  }

  #fetch(url: string, timeoutMs: number): Promise<FetchedInput> {
    const { mode, limitBytes, fetch = fetchInput } = this.#options;
    return fetch(url, { limitBytes, timeoutMs: Math.min(timeoutMs, LONGEST_FETCH_MS), allowPrivate: mode === 'any' });
  }

  async #inTurn<Value>(
    { cancellation }: Pick<Requester, 'cancellation'>,
    deadlineMs: number,
    work: (leftMs: number) => Promise<Value>,
  ): Promise<Value> {
    // Whoever leaves hands its place on, so the number that run stays as it is.
    if (this.#running >= MOST_FETCHES) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      if (cancellation.cancelled) throw new ServerError('CANCELLED');
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new ServerError('DEADLINE_EXCEEDED');
      return await work(leftMs);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
