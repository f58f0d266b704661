import { ServerError } from '../errors.ts';

/** Work that a request has begun, and that ends with it. */
export interface Cancellable {
  cancel(): void;
}

/**
 * Whether a request is still wanted: like an AbortSignal, but cheaper, because every request has one. It holds only work that is under way: results of
 * work that has ended would otherwise be kept for as long as the request takes.
 */
export class Cancellation {
  #cancelled = false;
  /** Most requests have one piece of work under way at a time. */
  #first: Cancellable | undefined;
  #others: Set<Cancellable> | undefined;

  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** How much is under way. */
  get size(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    const first = this.#first;
    const others = this.#others;
    this.#first = undefined;
    this.#others = undefined;
    first?.cancel();
    for (const work of others ?? []) work.cancel();
  }

  /** Cancels the work with the request, at once if that has been cancelled; `remove` it when it has ended. */
  add(work: Cancellable): void {
    if (this.#cancelled) work.cancel();
    else if (this.#first === undefined) this.#first = work;
    else (this.#others ??= new Set()).add(work);
  }

  /** Does nothing for work that is not there. */
  remove(work: Cancellable): void {
    if (this.#first === work) this.#first = undefined;
    else this.#others?.delete(work);
  }
}

/** Does work that knows signals alone; a cancellation ends it with CANCELLED. */
export async function withSignal<Result>(
  cancellation: Cancellation,
  work: (signal: AbortSignal, end: (reason: Error) => void) => Promise<Result>,
): Promise<Result> {
  const ended = new AbortController();
  const end = (reason: Error): void => ended.abort(reason);
  const cancel = { cancel: () => end(new ServerError('CANCELLED')) };
  cancellation.add(cancel);
  try {
    return await work(ended.signal, end);
  } finally {
    cancellation.remove(cancel);
  }
}
