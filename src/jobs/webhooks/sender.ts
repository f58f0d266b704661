import { Agent, request } from 'undici';
import { messageOf, ServerError } from '../../errors.ts';
import { Guard } from '../../outbound/guard.ts';
import { retryAfterMs } from '../../retry-after.ts';
import type { WebhookMessage } from './event.ts';
import { webhookHeaders } from './signature.ts';

export interface SenderOptions {
  /** Undefined: messages are not signed. */
  readonly key: Uint8Array | undefined;
  /** Hosts, or hosts with ports, whose addresses may be private. */
  readonly hosts: readonly string[];
  /** Limit of one call, look-ups and connection included. */
  readonly timeoutMs?: number;
}

/** What has come of a call. `gone`: it is of no use to try again. */
export interface Sent {
  readonly outcome: 'delivered' | 'failed' | 'gone';
  /** Without the URL, which may hold secrets. */
  readonly reason: string;
  /** How long the receiver asks to wait before the next try. */
  readonly retryAfterMs?: number | undefined;
}

/** As the specification advises: a receiver has 15 to 30 s. */
const TIMEOUT_MS = 15_000;
/** The receiver does not want messages any more. */
const GONE = 410;

/** Sends messages, never to an address that is not public unless its host is allowed. Redirects are not followed. */
export class WebhookSender {
  readonly #options: SenderOptions;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Throws INVALID_INPUT for a URL that no message could be sent to. */
  check(url: string): void {
    this.#guardOf(url).url(url);
  }

  /** Makes one call; never rejects. */
  async send({ id, url, body }: WebhookMessage, signal: AbortSignal): Promise<Sent> {
    const { key, timeoutMs = TIMEOUT_MS } = this.#options;
    const late = AbortSignal.timeout(timeoutMs);
    const either = AbortSignal.any([signal, late]);
    const guard = this.#guardOf(url);
    const agent = new Agent({ connect: { lookup: guard.lookup(either), timeout: timeoutMs } });
    try {
      const timestamp = Math.floor(Date.now() / 1000);
      const answer = await request(guard.url(url), {
        dispatcher: agent,
        signal: either,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'carpool',
          ...webhookHeaders(key, { id, body, timestamp }),
        },
        body,
      });
      // What it says is not read: its connection ends with the agent.
      answer.body.on('error', () => undefined).destroy();
      const { statusCode, headers } = answer;
      const outcome = statusCode >= 200 && statusCode < 300 ? 'delivered' : statusCode === GONE ? 'gone' : 'failed';
      return { outcome, reason: `status ${statusCode}`, retryAfterMs: retryAfterMs(headers['retry-after']) };
    } catch (error) {
      if (error instanceof ServerError) return { outcome: 'gone', reason: 'its address is not allowed' };
      return { outcome: 'failed', reason: late.aborted ? 'no answer in time' : messageOf(error) };
    } finally {
      await agent.destroy();
    }
  }

  #guardOf(url: string): Guard {
    const { host = '', hostname = '' } = URL.canParse(url) ? new URL(url) : {};
    return new Guard({ allowPrivate: this.#options.hosts.some((one) => one === host || one === hostname) });
  }
}
