import type { WebhookMessage } from './event.ts';

const MOST_CALLS_OF_HOST = 4;

/** Messages whose turn has come, from host to host: one that lets each call wait until its limit must not keep the messages of others. */
export class DueMessages {
  /** The first host is the next to be called. */
  readonly #byHost = new Map<string, WebhookMessage[]>();
  readonly #calls = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(message: WebhookMessage): void {
    const host = hostOf(message);
    const others = this.#byHost.get(host);
    if (others === undefined) this.#byHost.set(host, [message]);
    else others.push(message);
    this.#size += 1;
  }

  /** A message whose host has fewer calls than it may have, until `ended` is called; undefined: there is none. */
  take(): { readonly message: WebhookMessage; readonly ended: () => void } | undefined {
    for (const [host, messages] of this.#byHost) {
      const calls = this.#calls.get(host) ?? 0;
      if (calls >= MOST_CALLS_OF_HOST) continue;
      const message = messages.shift();
      this.#byHost.delete(host);
      if (messages.length > 0) this.#byHost.set(host, messages);
      if (message === undefined) continue;
      this.#size -= 1;
      this.#calls.set(host, calls + 1);
      return { message, ended: () => this.#ended(host) };
    }
    return undefined;
  }

  #ended(host: string): void {
    const calls = (this.#calls.get(host) ?? 0) - 1;
    if (calls > 0) this.#calls.set(host, calls);
    else this.#calls.delete(host);
  }
}

/** All of a URL that a log may show. */
export function hostOf({ url }: Pick<WebhookMessage, 'url'>): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
