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

  /** The items, with what was fetched in place of a URL; one that could not be fetched is refused, and no other. */
  async items(
    requester: Requester,
    model: ServedModel,
    items: readonly (Item | PreparedItem)[],
  ): Promise<readonly (Item | PreparedItem)[]> {
    if (this.#options.mode === 'off' || !TASKS.has(model.description.task)) return items;
    return Promise.all(items.map((item) => this.#item(requester, model, item)));
  }

  async #item(requester: Requester, model: ServedModel, item: Item | PreparedItem): Promise<Item | PreparedItem> {
    const url = item.kind === 'json' ? imageUrlOf(item) : undefined;
    if (url === undefined || item.kind !== 'json') return item;
    const { parameters } = item;
    try {
      const { bytes, contentType } = await this.#inTurn(requester, () => this.#fetch(url, model.timeoutMs));
      const { budget } = this.#options;
      budget.take(bytes.byteLength);
      requester.releaseLater(() => budget.give(bytes.byteLength));
      return { kind: 'raw', contentType, bytes, ...(parameters === undefined ? {} : { parameters }) };
    } catch (thrown) {
      const { code, message } = toServerError(thrown);
      if (code === 'INTERNAL' || code === 'QUEUE_FULL' || code === 'CANCELLED') throw thrown;
      return { kind: 'refused', code, message };
    }
  }

  #fetch(url: string, timeoutMs: number): Promise<FetchedInput> {
    const { mode, limitBytes, fetch = fetchInput } = this.#options;
    return fetch(url, { limitBytes, timeoutMs: Math.min(timeoutMs, LONGEST_FETCH_MS), allowPrivate: mode === 'any' });
  }

  async #inTurn<Value>({ cancellation }: Pick<Requester, 'cancellation'>, work: () => Promise<Value>): Promise<Value> {
    // Whoever leaves hands its place on, so the number that run stays as it is.
    if (this.#running >= MOST_FETCHES) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      if (cancellation.cancelled) throw new ServerError('CANCELLED');
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
