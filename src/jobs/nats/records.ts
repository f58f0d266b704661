import { JetStreamApiCodes, type StoredMsg } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
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

/** `result`: it has one. `dead`: it is a dead letter; its result tells why. */
export type Outcome = 'result' | 'dead';

const JOB = 'Carpool-Job';
const OUTCOME = 'Carpool-Outcome';
const DELIVERIES = 'Carpool-Deliveries';
const RESULT = 'Carpool-Result';
const CUT = 'Carpool-Cut';

/** Room for headers of ours in a message. */
const HEADER_BYTES = 512;
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
  async store(job: JobMark, line: Uint8Array, outcome: Outcome): Promise<Outcome> {
    const subject = `${this.#places.results}.${job.id}`;
    const { limitBytes } = this.#connection;
    const fits = line.byteLength + HEADER_BYTES <= limitBytes;
    const bytes = fits
      ? line
      : tooLargeResult(line, `it has ${line.byteLength} bytes; max_payload of NATS is ${limitBytes}`);
    let last = 0;
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#publish(subject, bytes, { [JOB]: markOf(job), [OUTCOME]: outcome }, last);
        return outcome;
      } catch (error) {
        if (!isConflict(error) || tries === STORE_TRIES) throw error;
        const there = await this.#last(this.#places.results, subject);
        if (there !== null && isOf(there, job)) return there.header.get(OUTCOME) === 'dead' ? 'dead' : 'result';
        last = there?.seq ?? 0;
      }
    }
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

function headersOf(values: Readonly<Record<string, string>>): MsgHdrs {
  const all = headers();
  for (const [name, value] of Object.entries(values)) all.set(name, value);
  return all;
}

function markOf({ id, stamp }: JobMark): string {
  return `${id}-${stamp}`;
}

function isOf(message: StoredMsg, job: JobMark): boolean {
  return message.header.get(JOB) === markOf(job);
}

function isConflict(error: unknown): boolean {
  return (
    isCode(error, JetStreamApiCodes.StreamWrongLastSequence) ||
    isCode(error, JetStreamApiCodes.StreamWrongLastSequenceUnknown)
  );
}
