import { ServerError } from '../errors.ts';

/** A client may hold this many times the bytes that it leaves free: three quarters of the budget when it is alone, less beside others. */
const TIMES_WHAT_IS_FREE = 3;
const RETRY_AFTER_MS = 1000;

/**
 * Limits the memory of request bodies at one time, over all requests: of what has arrived, and of the room that a body grows into (at most as much again). A
 * length that is only announced takes nothing. No client gets all of it: its share is bounded by what it leaves free (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
 */
export class BodyBudget {
  readonly #limitBytes: number;
  readonly #aloneBytes: number;
  readonly #clients = new Map<string, number>();
  #usedBytes = 0;

  /** Every client may hold `aloneBytes`, the largest single body, as long as they are free. */
  constructor(limitBytes: number, aloneBytes = limitBytes) {
    this.#limitBytes = limitBytes;
    this.#aloneBytes = aloneBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Takes bytes for a client. Throws QUEUE_FULL if they are not free, or if this client holds too much. */
  take(bytes: number, client = ''): void {
    const freeBytes = this.#limitBytes - this.#usedBytes - bytes;
    if (freeBytes < 0) throw full('The server holds as many request bodies as it can.');
    const heldBytes = (this.#clients.get(client) ?? 0) + bytes;
    if (heldBytes > this.#aloneBytes && heldBytes > TIMES_WHAT_IS_FREE * freeBytes)
      throw full('The server holds as many request bodies of this client as it can beside those of others.');
    this.#usedBytes += bytes;
    this.#clients.set(client, heldBytes);
  }

  give(bytes: number, client = ''): void {
    this.#usedBytes -= bytes;
    const heldBytes = (this.#clients.get(client) ?? 0) - bytes;
    if (heldBytes > 0) this.#clients.set(client, heldBytes);
    else this.#clients.delete(client);
  }

  /** A share that grows piece by piece and is given back as a whole. */
  share(address?: string): BudgetShare {
    return new BudgetShare(this, clientOf(address));
  }
}

function full(message: string): ServerError {
  return new ServerError('QUEUE_FULL', message, { retryAfterMs: RETRY_AFTER_MS });
}

/** The part of the budget that one request holds. */
export class BudgetShare {
  readonly client: string;
  readonly #budget: BodyBudget;
  #bytes = 0;

  constructor(budget: BodyBudget, client: string) {
    this.#budget = budget;
    this.client = client;
  }

  /** Throws QUEUE_FULL like `BodyBudget.take`. */
  take(bytes: number): void {
    this.#budget.take(bytes, this.client);
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#budget.give(bytes, this.client);
    this.#bytes -= bytes;
  }

  /** Gives back all of it; doing so again does nothing. */
  release(): void {
    if (this.#bytes > 0) this.give(this.#bytes);
  }
}

/** The client of an address. Whoever has one IPv6 address has 2^64 of them, so there the /64 network is the client. */
export function clientOf(address = ''): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}
