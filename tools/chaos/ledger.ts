import { setTimeout as sleep } from 'node:timers/promises';
import type { RealQueue } from '../queues/real-queue.ts';

interface Entry {
  readonly number: number;
  result: string | undefined;
}

const RETRY_MS = 50;
const TRIES = 600;

/** Every job that was sent, and what was seen of its result. The queue may be away at any moment: whatever is asked of it is asked again. */
export class Ledger {
  readonly #queue: RealQueue;
  readonly #entries = new Map<string, Entry>();
  #numbers = 0;
  #oldestHoldMs = 0;

  constructor(queue: RealQueue) {
    this.#queue = queue;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The longest time that a job was seen to be held without a sign of life. */
  get oldestHoldMs(): number {
    return this.#oldestHoldMs;
  }

  get summary(): string {
    const missing = [...this.#entries].filter(([, { result }]) => result === undefined).map(([id]) => id);
    return `${missing.length} of ${this.size} results are missing: ${missing.slice(0, 10).join(', ')}`;
  }

  /** Sends jobs, some of them twice. A send that fails may have been taken all the same; then that job's result is nobody's to look for. */
  async send(count: number, random: () => number, twice: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const number = (this.#numbers += 1);
      const job = JSON.stringify({ custom_id: `job ${number}`, url: '/predict/square', body: { data: number } });
      for (let copies = random() < twice ? 2 : 1; copies > 0; copies -= 1)
        this.#entries.set(await this.#ask(() => this.#queue.send(job, `${number}.${copies}`)), {
          number,
          result: undefined,
        });
    }
  }

  /** Looks at the results that are new, and throws if a job has left the queue without one. */
  async look(): Promise<void> {
    const sent = this.size;
    const left = sent - (await this.#ask(() => this.#queue.jobs()));
    for (const [id, entry] of this.#entries) entry.result ??= await this.#ask(() => this.#queue.result(id));
    const there = [...this.#entries.values()].filter(({ result }) => result !== undefined).length;
    const heldMs = await this.#ask(async () => (await this.#queue.oldestHoldMs?.()) ?? 0);
    this.#oldestHoldMs = Math.max(this.#oldestHoldMs, heldMs);
    if (there < left) throw new Error(`${left} of ${sent} jobs are off the queue, and only ${there} have a result`);
  }

  /** Whether every job has a result and the queue is empty. */
  async isDone(): Promise<boolean> {
    const isAnswered = [...this.#entries.values()].every(({ result }) => result !== undefined);
    return isAnswered && (await this.#ask(() => this.#queue.jobs())) === 0;
  }

  /** Throws unless each result is right and still what it was when it was first seen, and nothing else was stored. */
  async check(): Promise<void> {
    for (const [id, { number, result }] of this.#entries) {
      if ((await this.#queue.result(id)) !== result) throw new Error(`the result of ${id} has changed`);
      const { custom_id: name, response } = JSON.parse(result ?? '{}') as Line;
      if (name !== `job ${number}` || response?.body.result !== number * number)
        throw new Error(`the result of ${id} is wrong: ${String(result)}`);
    }
    const stored = await this.#queue.resultsStored?.();
    if (stored !== undefined && stored !== this.size)
      throw new Error(`${stored} results were stored for ${this.size} jobs`);
    const dead = await this.#queue.deadLetters();
    if (dead > 0) throw new Error(`${dead} jobs are dead letters`);
  }

  async #ask<Value>(question: () => Promise<Value>): Promise<Value> {
    for (let tries = 1; ; tries += 1)
      try {
        return await question();
      } catch (error) {
        if (tries === TRIES) throw error;
        await sleep(RETRY_MS);
      }
  }
}

interface Line {
  readonly custom_id?: string;
  readonly response?: { readonly body: { readonly result?: number } };
}
