import { setTimeout as sleep } from 'node:timers/promises';
import type { RealQueue } from '../queues/real-queue.ts';
import type { Faults } from './report.ts';
import type { ResultStore } from './result-store.ts';

interface Entry {
  readonly number: number;
  /** The name of the answer in the store of results. */
  readonly stored: string;
  result: string | undefined;
}

const RETRY_MS = 50;
const TRIES = 2400;

/** Every job that was sent, and what was seen of its result. The queue may be away at any moment: whatever is asked of it is asked again. */
export class Ledger {
  readonly #queue: RealQueue;
  readonly #store: ResultStore | undefined;
  readonly #entries = new Map<string, Entry>();
  #numbers = 0;
  #early = 0;
  #oldestHoldMs = 0;

  /** `store`: where the jobs have their answers stored; absent: these are in their results. */
  constructor(queue: RealQueue, store: ResultStore | undefined) {
    this.#queue = queue;
    this.#store = store;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The longest time that a job was seen to be held without a sign of life. */
  get oldestHoldMs(): number {
    return this.#oldestHoldMs;
  }

  /** How many results were seen. */
  get answered(): number {
    return [...this.#entries.values()].filter(({ result }) => result !== undefined).length;
  }

  /** Sends jobs, some of them twice. A send that fails may have been taken all the same; then that job's result is nobody's to look for. */
  async send(count: number, random: () => number, twice: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const number = (this.#numbers += 1);
      const output = this.#store?.placeOf(String(number));
      const job = JSON.stringify({
        custom_id: `job ${number}`,
        url: '/predict/square',
        body: { data: number },
        output,
      });
      for (let copies = random() < twice ? 2 : 1; copies > 0; copies -= 1)
        this.#entries.set(await this.#ask(() => this.#queue.send(job, `${number}.${copies}`)), {
          number,
          stored: String(number),
          result: undefined,
        });
    }
  }

  /** Looks at the results that are new. */
  async look(): Promise<void> {
    const sent = this.size;
    const left = sent - (await this.#ask(() => this.#queue.jobs()));
    for (const [id, entry] of this.#entries) {
      if (entry.result !== undefined) continue;
      entry.result = await this.#ask(() => this.#queue.result(id));
      if (entry.result === undefined || this.#store === undefined) continue;
      if ((await this.#store.read(entry.stored)) === undefined) this.#early += 1;
    }
    await this.#store?.look();
    const heldMs = await this.#ask(async () => (await this.#queue.oldestHoldMs?.()) ?? 0);
    this.#oldestHoldMs = Math.max(this.#oldestHoldMs, heldMs);
    // A job that is off the queue has its result.
    this.#early = Math.max(this.#early, left - this.answered);
  }

  /** Whether every job has a result and the queue is empty. */
  async isDone(): Promise<boolean> {
    return this.answered === this.size && (await this.#ask(() => this.#queue.jobs())) === 0;
  }

  /** What is wrong, once all has had its time: of results, each must be right, still be what it was when it was first seen, and have been stored once. */
  async faults(): Promise<Faults> {
    let [lost, changed, wrong] = [0, 0, await this.#ask(() => this.#queue.deadLetters())];
    for (const [id, { number, stored, result }] of this.#entries) {
      if (result === undefined) lost += 1;
      else if ((await this.#ask(() => this.#queue.result(id))) !== result) changed += 1;
      else if (!(await this.#isRight(result, number, stored))) wrong += 1;
    }
    const results = (await this.#queue.resultsStored?.()) ?? this.size - lost;
    const answers = (await this.#store?.look()) ?? this.#numbers;
    const more = Math.max(0, results - (this.size - lost)) + Math.max(0, answers - this.#numbers);
    return { lost, doubled: changed + more + (this.#store?.replaced ?? 0), early: this.#early, wrong };
  }

  async #isRight(result: string, number: number, stored: string): Promise<boolean> {
    const { custom_id: name, response } = JSON.parse(result) as Line;
    if (name !== `job ${number}` || response?.status_code !== 200) return false;
    const answer = this.#store === undefined ? response.body : parsed(await this.#store.read(stored));
    return answer.result === number * number;
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

interface Answer {
  readonly result?: number;
}

interface Line {
  readonly custom_id?: string;
  readonly response?: { readonly status_code: number; readonly body: Answer };
}

function parsed(text: string | undefined): Answer {
  return JSON.parse(text ?? '{}') as Answer;
}
