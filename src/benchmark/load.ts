import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { arrivalsOf } from './arrivals.ts';
import type { LoadShape } from './flags.ts';
import { Records } from './record.ts';
import type { LoadRequest } from './request.ts';
import { Sender, type Outcome } from './sender.ts';

/** Connections of an open loop; a request that finds all of them busy waits, and its wait counts. */
const OPEN_CONNECTIONS = 1024;
/** More requests under way than that are not sent, but counted. */
const MOST_UNDER_WAY = 20_000;
/** How many may be sent before answers get their turn, when the loop is behind its times. */
const BURST = 32;

export interface LoadProgress {
  readonly elapsedMs: number;
  /** Requests that have ended, those of the warm-up too. */
  readonly ended: number;
  readonly isWarm: boolean;
}

export interface LoadCall {
  readonly url: string;
  readonly request: LoadRequest;
  readonly shape: LoadShape;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** What a load came to. */
export interface Loaded {
  readonly records: Records;
  /** From the end of the warm-up to the last answer that counts. */
  readonly elapsedMs: number;
  /** Processor time of this process meanwhile. */
  readonly cpuMs: number;
  /** By how much the last requests were sent too late, at most: then this process could not send as many. */
  readonly behindMs: number;
}

const PROGRESS_MS = 500;

/** Loads a server. Never rejects: what fails is recorded. */
export async function load(call: LoadCall): Promise<Loaded> {
  const run = new Run(call);
  const ticker = setInterval(() => call.onProgress?.(run.progress), PROGRESS_MS);
  try {
    return await run.run();
  } finally {
    clearInterval(ticker);
    await run.close();
  }
}

class Run {
  readonly #shape: LoadShape;
  readonly #signal: AbortSignal;
  readonly #sender: Sender;
  readonly #records = new Records();
  readonly #startMs = performance.now();
  #cpu = process.cpuUsage();
  #isWarm = false;
  #underWay = 0;
  #sent = 0;
  #ended = 0;
  #behindMs = 0;
  #lastMs = 0;
  #onIdle: () => void = () => undefined;

  constructor({ url, request, shape, signal }: LoadCall) {
    this.#shape = shape;
    this.#signal = signal;
    const { loop, isKept, timeoutMs } = shape;
    const connections = loop.kind === 'closed' ? loop.concurrency : OPEN_CONNECTIONS;
    this.#sender = new Sender({ url, request, connections, isKept, timeoutMs });
  }

  get progress(): LoadProgress {
    return { elapsedMs: this.#nowMs(), ended: this.#ended, isWarm: this.#isWarm };
  }

  async run(): Promise<Loaded> {
    const { loop } = this.#shape;
    if (loop.kind === 'closed') for (let client = 0; client < loop.concurrency; client += 1) this.#next();
    else await this.#drive();
    await this.#idle();
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      records: this.#records,
      elapsedMs: Math.max(1, this.#lastMs - this.#shape.warmUpMs),
      cpuMs: (user + system) / 1000,
      behindMs: this.#behindMs,
    };
  }

  close(): Promise<void> {
    return this.#sender.close();
  }

  #nowMs(): number {
    return performance.now() - this.#startMs;
  }

  /** Whether no more requests are to begin. */
  #isOver(atMs: number): boolean {
    const { warmUpMs, durationMs, requests } = this.#shape;
    return this.#signal.aborted || atMs >= warmUpMs + durationMs || (atMs >= warmUpMs && this.#sent >= requests);
  }

  /** A client of a closed loop: the next request as soon as the last is answered. */
  #next(): void {
    const nowMs = this.#nowMs();
    if (!this.#isOver(nowMs)) this.#send(nowMs, () => this.#next());
  }

  /** An open loop: requests at their times, whatever the server does. */
  async #drive(): Promise<void> {
    const { loop } = this.#shape;
    if (loop.kind !== 'open') return;
    let burst = 0;
    for (const dueMs of arrivalsOf(loop)) {
      if (this.#isOver(dueMs)) return;
      const waitMs = dueMs - this.#nowMs();
      if (waitMs > 0) {
        burst = 0;
        await sleep(waitMs);
      } else if (++burst % BURST === 0) await turn();
      if (dueMs >= this.#shape.warmUpMs) this.#behindMs = Math.max(this.#behindMs, this.#nowMs() - dueMs);
      if (this.#underWay < MOST_UNDER_WAY) this.#send(dueMs, () => undefined);
      else if (dueMs >= this.#shape.warmUpMs) this.#records.dropped += 1;
    }
  }

  #send(dueMs: number, then: () => void): void {
    const counts = dueMs >= this.#shape.warmUpMs;
    if (counts) this.#begin();
    this.#underWay += 1;
    this.#sender.send(this.#startMs + dueMs, (outcome) => {
      this.#take(outcome, dueMs, counts);
      then();
      if (this.#underWay === 0) this.#onIdle();
    });
  }

  /** The first request that counts: from here on processor time does, too. */
  #begin(): void {
    this.#sent += 1;
    if (this.#isWarm) return;
    this.#isWarm = true;
    this.#cpu = process.cpuUsage();
  }

  #take(outcome: Outcome, dueMs: number, counts: boolean): void {
    this.#underWay -= 1;
    this.#ended += 1;
    const nowMs = this.#nowMs();
    // What begins before the measurement and fails in it keeps its client from asking: it counts, or a server that never answers would fail nothing.
    const hasFailedLate = outcome.status === 0 && nowMs >= this.#shape.warmUpMs;
    if (!counts && !hasFailedLate) return;
    this.#lastMs = Math.max(this.#lastMs, nowMs);
    this.#records.add(outcome, { dueMs, latencyMs: nowMs - dueMs, beganMs: this.#startMs + dueMs });
  }

  /** Resolves when nothing is under way. A stopped load waits for nothing. */
  async #idle(): Promise<void> {
    if (this.#underWay === 0 || this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        this.#signal.removeEventListener('abort', end);
        resolve();
      };
      this.#onIdle = end;
      this.#signal.addEventListener('abort', end);
    });
  }
}
