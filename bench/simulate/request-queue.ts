import type { SimRequest } from './workload.ts';

/** Requests of one model in order of arrival, which is that of their deadlines too. */
export class RequestQueue {
  #requests: SimRequest[] = [];
  #first = 0;

  get length(): number {
    return this.#requests.length - this.#first;
  }

  get oldest(): SimRequest | undefined {
    return this.#requests[this.#first];
  }

  get newest(): SimRequest | undefined {
    return this.length === 0 ? undefined : this.#requests.at(-1);
  }

  push(request: SimRequest): void {
    this.#requests.push(request);
  }

  dropOldest(): void {
    if (this.length > 0) this.#skip(1);
  }

  dropExpired(nowMs: number): void {
    while ((this.oldest?.deadlineMs ?? Infinity) <= nowMs) this.#skip(1);
  }

  takeOldest(count: number): SimRequest[] {
    const taken = this.#requests.slice(this.#first, this.#first + count);
    this.#skip(taken.length);
    return taken;
  }

  takeNewest(count: number): SimRequest[] {
    return this.#requests.splice(Math.max(this.#first, this.#requests.length - count));
  }

  #skip(count: number): void {
    this.#first += count;
    // Now and then, so that it costs little for each.
    if (this.#first < 1000) return;
    this.#requests = this.#requests.slice(this.#first);
    this.#first = 0;
  }
}
