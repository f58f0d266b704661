import { JetStreamApiCodes, type StoredMsg } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { readEnd, readFacts, type QueueEnd, type QueueFacts } from '../queue-board.ts';
import { tooLargeResult } from '../result.ts';
import type { Connection } from './connection.ts';
import { asGone, isCode, placesOf } from './queue.ts';

/** Which job is meant. */
export interface JobMark {
  /** Its message's number in the stream, which the sender has been told. */
  readonly id: number;
  /** When that was stored, in ns: a stream that is made anew begins at 1 again, and results of the one before are still there. */
  readonly stamp: string;
}

/** `result`: it has one. `dead`: it is a dead letter; its result tells why. `cancelled`: it has none, and is not to have one. */
export type Outcome = 'result' | 'dead' | 'cancelled';

/** Of a job of `POST /v1/jobs`: what is in it. */
export const FACTS = 'Carpool-Facts';
/** How it has ended. */
const END = 'Carpool-End';
const JOB = 'Carpool-Job';
const OUTCOME = 'Carpool-Outcome';
const DELIVERIES = 'Carpool-Deliveries';
const RESULT = 'Carpool-Result';
const CUT = 'Carpool-Cut';

/** Room for headers of ours in a message. */
export const HEADER_BYTES = 512;
/** Somebody else stores the same result only when a lease was lost. */
const STORE_TRIES = 5;

/** What is kept of jobs beside the queue: results, dead letters, and how often they were given back. All that is asked of it rejects with a QueueGoneError where a stream is missing. */
export class Records {
  readonly #connection: Connection;
  readonly #places: ReturnType<typeof placesOf>;

  constructor(connection: Connection, queue: string) {
    this.#connection = connection;
    this.#places = placesOf(queue);
  }

  /** Stores the result of a job, unless it has one. Resolves with the outcome that counts: the first. */
  async store(job: JobMark, line: Uint8Array, outcome: Outcome, end?: QueueEnd): Promise<Outcome> {
    const subject = `${this.#places.results}.${job.id}`;
    const { limitBytes } = this.#connection;
    const more = end === undefined ? undefined : textOfFacts(end);
    const fits = line.byteLength + HEADER_BYTES + (more?.length ?? 0) <= limitBytes;
    const bytes = fits
      ? line
      : tooLargeResult(line, `it has ${line.byteLength} bytes; max_payload of NATS is ${limitBytes}`);
    let last = 0;
    for (let tries = 1; ; tries += 1) {
      try {
        const values = { [JOB]: markOf(job), [OUTCOME]: outcome, ...(more === undefined ? {} : { [END]: more }) };
        await this.#publish(subject, bytes, values, last);
        return outcome;
      } catch (error) {
        if (!isConflict(error) || tries === STORE_TRIES) throw error;
        const there = await this.#last(this.#places.results, subject);
        if (there !== null && isOf(there, job)) return outcomeOf(there);
        last = there?.seq ?? 0;
      }
    }
  }

  /** What `store` has stored under a job's number, by whichever stream of jobs. */
  resultOf(id: string): Promise<StoredMsg | null> {
    return this.#last(this.#places.results, `${this.#places.results}.${id}`);
  }

  /** Makes room for what is stored under a job's number. */
  async forget(id: string): Promise<void> {
    const { results } = this.#places;
    await this.#connection.manager.streams.purge(results, { filter: `${results}.${id}` });
  }

  /** The number of the job of a name, for as long as results are kept. */
  async nameOf(digest: string): Promise<string | undefined> {
    const { results } = this.#places;
    return (await this.#last(results, `${results}.name-${digest}`))?.string();
  }

  async setName(digest: string, id: string): Promise<void> {
    await this.#publish(`${this.#places.results}.name-${digest}`, Buffer.from(id), {});
  }

  /** Puts a job among the dead letters, unless it is there: the message as it came, so that it can be sent again, with the result as a header where both have room. */
  async bury(
    job: JobMark & { readonly bytes: Uint8Array; readonly deliveries: number },
    line: Uint8Array,
  ): Promise<void> {
    const { bytes, deliveries } = job;
    const room = this.#connection.limitBytes - HEADER_BYTES;
    const facts = { [JOB]: String(job.id), [DELIVERIES]: String(deliveries) };
    const hasRoom = bytes.byteLength + line.byteLength <= room;
    const more = hasRoom
      ? { [RESULT]: Buffer.from(line).toString() }
      : bytes.byteLength <= room
        ? {}
        : { [CUT]: 'true' };
    try {
      await this.#publish(`${this.#places.dead}.${markOf(job)}`, bytes.subarray(0, room), { ...facts, ...more }, 0);
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }

  /** How often a job was given back unserved, as long as that is known: for as long as results are kept. */
  async timesGivenBack(job: JobMark): Promise<number> {
    const { results, givenBack } = this.#places;
    const there = await this.#last(results, `${givenBack}.${job.id}`);
    return there !== null && isOf(there, job) ? Number(there.string()) : 0;
  }

  async noteGivenBack(job: JobMark, times: number): Promise<void> {
    await this.#publish(`${this.#places.givenBack}.${job.id}`, Buffer.from(String(times)), { [JOB]: markOf(job) });
  }

  async #last(stream: string, subject: string): Promise<StoredMsg | null> {
    this.#connection.checkUp();
    try {
      return await this.#connection.manager.streams.getMessage(stream, { last_by_subj: subject });
    } catch (error) {
      throw asGone(error);
    }
  }

  /** `last`: the number of the message that must be the last of the subject; 0: there must be none. */
  async #publish(
    subject: string,
    bytes: Uint8Array,
    values: Readonly<Record<string, string>>,
    last?: number,
  ): Promise<void> {
    this.#connection.checkUp();
    const expect = last === undefined ? {} : { lastSubjectSequence: last };
    try {
      await this.#connection.jetstream.publish(subject, bytes, { headers: headersOf(values), expect });
    } catch (error) {
      throw asGone(error);
    }
  }
}

/** Facts or an end as the value of a header, which has neither line ends nor other characters than those of ASCII. */
export function textOfFacts(facts: QueueFacts): string {
  return encodeURIComponent(JSON.stringify(facts));
}

/** Undefined if it has none, or others than ours. */
export function factsIn(header: MsgHdrs | undefined): QueueFacts | undefined {
  return readFacts(decoded(header?.get(FACTS)));
}

export function endIn({ header }: StoredMsg): QueueEnd | undefined {
  return readEnd(decoded(header.get(END)));
}

function decoded(text = ''): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function outcomeOf({ header }: StoredMsg): Outcome {
  const outcome = header.get(OUTCOME);
  return outcome === 'dead' || outcome === 'cancelled' ? outcome : 'result';
}

function headersOf(values: Readonly<Record<string, string>>): MsgHdrs {
  const all = headers();
  for (const [name, value] of Object.entries(values)) all.set(name, value);
  return all;
}

function markOf({ id, stamp }: JobMark): string {
  return `${id}-${stamp}`;
}

/** Whether a result is of this job, and not of one with its number in a stream before. */
export function isOf(message: StoredMsg, job: JobMark): boolean {
  return message.header.get(JOB) === markOf(job);
}

function isConflict(error: unknown): boolean {
  return (
    isCode(error, JetStreamApiCodes.StreamWrongLastSequence) ||
    isCode(error, JetStreamApiCodes.StreamWrongLastSequenceUnknown)
  );
}
