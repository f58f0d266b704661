import pLimit from 'p-limit';
import { StorageError, type ObjectFacts, type StorageCall } from '../storage.ts';
import { contentRange, refusal, toldFacts, type ToldFacts } from './answers.ts';
import { discard, type HttpAnswer, type HttpClient } from './client.ts';
import { Pace } from './pace.ts';
import { Passing, retrying } from './retry.ts';
import type { Sink } from './sink.ts';

/** How often an object that changes while it is read is begun anew. */
const MOST_READINGS = 3;
/** An attempt that brought this much does not count as a failure, though it ended early. */
const PROGRESS_BYTES = 256 * 1024;

export interface Reading {
  readonly client: HttpClient;
  readonly place: string;
  /** The place in messages. */
  readonly shown: string;
  readonly sink: Sink;
}

/**
 * Reads an object whole: by ranges side by side where the server sends them and names a validator, else in one answer. A connection that breaks goes on
 * where it ended. Rejects with a StorageError: CHANGED if the object becomes another one again and again.
 */
export async function getObject(reading: Reading, { signal, onBytes }: StorageCall): Promise<ObjectFacts> {
  for (let readings = 1; ; readings += 1) {
    let moved = 0;
    const count = (bytes: number): void => {
      moved += bytes;
      onBytes?.(bytes);
    };
    try {
      return await new OneReading(reading, signal, count).run();
    } catch (error) {
      if (!(error instanceof StorageError && error.kind === 'CHANGED') || readings === MOST_READINGS) throw error;
      count(-moved);
    }
  }
}

interface Part {
  at: number;
  /** Exclusive; Infinity while it is not known. */
  to: number;
}

class OneReading {
  readonly #reading: Reading;
  readonly #count: (bytes: number) => void;
  readonly #failing = new AbortController();
  readonly #signal: AbortSignal;
  readonly #others: Promise<void>[] = [];
  #facts: ToldFacts | undefined;
  /** Whether all must come in one answer. */
  #isWhole = false;

  constructor(reading: Reading, signal: AbortSignal, count: (bytes: number) => void) {
    this.#reading = reading;
    this.#count = count;
    this.#signal = AbortSignal.any([signal, this.#failing.signal]);
  }

  async run(): Promise<ObjectFacts> {
    const first = { at: 0, to: this.#reading.client.limits.partBytes };
    await this.#together(this.#fetch(first));
    // Not one after the other: none may write when this has ended.
    await Promise.all(this.#others);
    this.#signal.throwIfAborted();
    return { ...this.#facts, size: this.#facts?.size ?? first.at };
  }

  /** The first failure ends the other parts. */
  #together(part: Promise<void>): Promise<void> {
    return part.catch((error: unknown) => this.#failing.abort(error));
  }

  async #fetch(part: Part): Promise<void> {
    const { client, shown } = this.#reading;
    const policy = { ...client.limits, signal: this.#signal };
    // Once more, when it turns out that all must come in one answer.
    while (part.at < part.to) await retrying(shown, policy, (noteProgress) => this.#attempt(part, noteProgress));
  }

  async #attempt(part: Part, noteProgress: () => void): Promise<void> {
    const { client, place } = this.#reading;
    if (this.#isWhole) await this.#beginAnew(part);
    const pace = new Pace(client.limits.paceMs, this.#signal);
    const startedAt = part.at;
    try {
      const answer = await client.send(place, { method: 'GET', headers: this.#headers(part), signal: pace.signal });
      try {
        if (await this.#check(answer, part))
          await this.#take(answer, part, (bytes) => {
            pace.note(bytes);
            // What must come in one answer begins anew after a failure.
            if (!this.#isWhole && part.at - startedAt > PROGRESS_BYTES) noteProgress();
          });
      } finally {
        discard(answer);
      }
    } catch (error) {
      throw pace.signal.aborted && !(error instanceof StorageError) ? pace.signal.reason : error;
    } finally {
      pace.stop();
    }
  }

  async #beginAnew(part: Part): Promise<void> {
    if (part.at > 0) this.#count(-part.at);
    part.at = 0;
    await this.#reading.sink.begin(this.#facts?.size);
  }

  #headers({ at, to }: Part): Record<string, string> {
    if (this.#isWhole) return {};
    const { validator } = this.#facts ?? {};
    // A weak ETag cannot stand there (RFC 9110 13.1.5); the answer's is compared in any case.
    const condition = validator === undefined || validator.startsWith('W/') ? {} : { 'if-range': validator };
    return { range: `bytes=${at}-${to - 1}`, ...condition };
  }

  /** Whether the answer is the one that was asked for; false: another request is needed. Throws if it cannot be had. */
  async #check(answer: HttpAnswer, part: Part): Promise<boolean> {
    const known = this.#facts;
    if (known === undefined) return this.#begin(answer, part);
    const { statusCode } = answer;
    const { shown } = this.#reading;
    const told = toldFacts(answer);
    const isSame = told.size === known.size && told.validator === known.validator;
    const isWanted = this.#isWhole ? statusCode === 200 : contentRange(answer)?.start === part.at && statusCode === 206;
    if (isWanted && isSame) return true;
    if (isWanted || statusCode === 200 || statusCode === 412 || statusCode === 416)
      throw new StorageError('CHANGED', `${shown}: it changed while it was read`);
    throw refusal(answer, shown);
  }

  /** What the first answer says decides how the object is read. */
  async #begin(answer: HttpAnswer, part: Part): Promise<boolean> {
    const { sink, shown } = this.#reading;
    const { statusCode } = answer;
    const facts = toldFacts(answer);
    const isRange = statusCode === 206 && contentRange(answer)?.start === 0;
    // There is no range of an empty object.
    const isEmpty = statusCode === 416 && facts.size === 0;
    if (!isRange && !isEmpty && statusCode !== 200) throw refusal(answer, shown);
    await sink.begin(facts.size);
    this.#facts = facts;
    const { size = Infinity, validator } = facts;
    this.#isWhole = statusCode === 200 || (size > part.to && validator === undefined);
    const isToBeAsked = this.#isWhole && statusCode !== 200;
    if (this.#isWhole) part.to = size;
    else {
      part.to = Math.min(part.to, size);
      this.#beginOthers(part.to, size);
    }
    return !isToBeAsked && !isEmpty;
  }

  #beginOthers(from: number, size: number): void {
    const { partBytes, parallel } = this.#reading.client.limits;
    const places = pLimit(Math.max(1, parallel - 1));
    for (let at = from; at < size; at += partBytes)
      this.#others.push(this.#together(places(() => this.#fetch({ at, to: Math.min(size, at + partBytes) }))));
  }

  async #take({ body }: HttpAnswer, part: Part, note: (bytes: number) => void): Promise<void> {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      if (part.at + chunk.byteLength > part.to) throw new Passing('it sends more than it announced');
      await this.#reading.sink.write(chunk, part.at);
      part.at += chunk.byteLength;
      this.#count(chunk.byteLength);
      note(chunk.byteLength);
    }
    if (part.to === Infinity) part.to = part.at;
    if (part.at < part.to) throw new Passing('the answer ended early');
  }
}
