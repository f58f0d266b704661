import { Pool, type Dispatcher } from 'undici';
import type { LoadRequest } from './request.ts';

/** What came of one request. */
export interface Outcome {
  /** 0: no whole answer came. */
  readonly status: number;
  /** `Server-Timing` and `X-Batch-Size` of the answer. */
  readonly timing: string | undefined;
  readonly batchItems: string | undefined;
  /** Of a chat, when its tokens came, by `performance.now()`. */
  readonly tokensMs: readonly number[] | undefined;
  /** Why there is no answer. */
  readonly problem: string | undefined;
}

export interface SenderOptions {
  readonly url: string;
  readonly request: LoadRequest;
  readonly connections: number;
  readonly isKept: boolean;
  readonly timeoutMs: number;
}

/** Sends one request again and again, with as little work for each as undici allows: a load generator beside its server takes the server's time. */
export class Sender {
  readonly #pool: Pool;
  readonly #options: Dispatcher.DispatchOptions;
  readonly #isChat: boolean;
  readonly #timeoutMs: number;
  readonly #connections: number;
  #busy = 0;
  /** Those that no connection is free for, from `#next` on. Not in undici's queue, where one whose time is up would cost its connection. */
  #waiting: Waiting[] = [];
  #next = 0;

  constructor({ url, request, connections, isKept, timeoutMs }: SenderOptions) {
    this.#pool = new Pool(new URL(url).origin, {
      connections,
      pipelining: 1,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: { timeout: timeoutMs },
    });
    const { path, headers, body } = request;
    this.#options = { path, method: 'POST', headers: { ...headers }, body, reset: !isKept };
    this.#isChat = request.isChat;
    this.#timeoutMs = timeoutMs;
    this.#connections = connections;
  }

  /** Sends it once, as soon as a connection is free; calls back when the whole answer is there, or none will come. Its time runs from `dueMs` (of `performance.now()`). */
  send(dueMs: number, done: (outcome: Outcome) => void): void {
    if (this.#busy < this.#connections) this.#dispatch({ dueMs, done });
    else this.#waiting.push({ dueMs, done });
  }

  #dispatch({ dueMs, done }: Waiting): void {
    this.#busy += 1;
    const end = (outcome: Outcome): void => {
      this.#busy -= 1;
      done(outcome);
      this.#sendNext();
    };
    const limits = { limitMs: dueMs + this.#timeoutMs, timeoutMs: this.#timeoutMs };
    this.#pool.dispatch(this.#options, new Answer(end, this.#isChat, limits));
  }

  /** A connection is free: for the next one whose time is not up. */
  #sendNext(): void {
    const nowMs = performance.now();
    while (this.#busy < this.#connections) {
      const next = this.#waiting[this.#next];
      if (next === undefined) {
        this.#waiting = [];
        this.#next = 0;
        return;
      }
      this.#next += 1;
      if (nowMs > next.dueMs + this.#timeoutMs) next.done(notSent(this.#timeoutMs));
      else this.#dispatch(next);
    }
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

interface Waiting {
  readonly dueMs: number;
  readonly done: (outcome: Outcome) => void;
}

function notSent(timeoutMs: number): Outcome {
  const problem = `not sent within ${timeoutMs} ms`;
  return { status: 0, timing: undefined, batchItems: undefined, tokensMs: undefined, problem };
}

const FIRST_REDIRECT = 300;
const FIRST_ERROR = 400;
const MOST_WORDS = 300;

/** One answer as it comes. */
class Answer implements Dispatcher.DispatchHandler {
  readonly #done: (outcome: Outcome) => void;
  readonly #tokens: TokenTimes | undefined;
  readonly #limitMs: number;
  readonly #timeoutMs: number;
  #isDone = false;
  #status = 0;
  #timing: string | undefined;
  #batchItems: string | undefined;
  /** What an error says. */
  #words = '';

  constructor(
    done: (outcome: Outcome) => void,
    isChat: boolean,
    { limitMs, timeoutMs }: { readonly limitMs: number; readonly timeoutMs: number },
  ) {
    this.#done = done;
    this.#tokens = isChat ? new TokenTimes() : undefined;
    this.#timeoutMs = timeoutMs;
    this.#limitMs = limitMs;
  }

  onRequestStart(): void {
    // Handlers of undici's newer interface are known by it.
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    const { 'server-timing': timing, 'x-batch-size': batchItems, location } = headers;
    if (status >= FIRST_REDIRECT && status < FIRST_ERROR) this.#words = ` to ${String(location)}`.slice(0, MOST_WORDS);
    if (typeof timing === 'string') this.#timing = timing;
    if (typeof batchItems === 'string') this.#batchItems = batchItems;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#status >= FIRST_ERROR) this.#words = (this.#words + chunk.toString('utf8')).slice(0, MOST_WORDS);
    else this.#tokens?.take(chunk);
    // undici's own limits are of silence, not of the whole answer.
    if (performance.now() > this.#limitMs) controller.abort(new Error(`no whole answer within ${this.#timeoutMs} ms`));
  }

  onResponseEnd(): void {
    if (this.#status >= FIRST_ERROR) this.#end(this.#status, `status ${this.#status}: ${this.#words}`);
    else if (this.#status >= FIRST_REDIRECT) this.#end(this.#status, `status ${this.#status}${this.#words}`);
    else if (this.#tokens?.isBroken === true) this.#end(0, 'the stream ended in an error');
    else this.#end(this.#status, undefined);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { code } = error as NodeJS.ErrnoException;
    this.#end(0, code ?? error.message);
  }

  #end(status: number, problem: string | undefined): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#done({
      status,
      timing: this.#timing,
      batchItems: this.#batchItems,
      tokensMs: this.#tokens?.timesMs,
      problem,
    });
  }
}

/** When the pieces of a chat's text came, read from its server-sent events. */
class TokenTimes {
  readonly timesMs: number[] = [];
  /** Whether an event tells of an error: the status was sent long before. */
  isBroken = false;
  #rest = '';

  take(chunk: Buffer): void {
    const nowMs = performance.now();
    const lines = (this.#rest + chunk.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: ')) continue;
      if (/"content": *"[^"]/.test(line)) this.timesMs.push(nowMs);
      else if (line.startsWith('data: {"error"')) this.isBroken = true;
    }
  }
}
