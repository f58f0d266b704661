import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs';

/** Limits of SQS for one request; queues may be set to smaller messages, but not to smaller batches. */
const MOST_ENTRIES = 10;
const MOST_BYTES = 262_144;

/** One request for some entries, each with an id of its own. Tells which have failed. */
export type SendEntries<Entry> = (
  entries: (Entry & { Id: string })[],
) => Promise<{ Failed?: BatchResultErrorEntry[] | undefined }>;

interface Waiting<Entry> {
  readonly entry: Entry;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes one request of what is asked for in one turn of the event loop: jobs of a batch end together. Each request to SQS costs money, and a
 * millisecond of the main thread.
 */
export class Gathered<Entry> {
  readonly #send: SendEntries<Entry>;
  #waiting: Waiting<Entry>[] = [];

  constructor(send: SendEntries<Entry>) {
    this.#send = send;
  }

  /** Rejects if the request or this entry of it fails; then with the code of SQS as its name. `bytes`: of the message that it sends. */
  add(entry: Entry, bytes = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ entry, bytes, resolve, reject });
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    let begin = 0;
    let bytes = 0;
    for (const [index, one] of waiting.entries()) {
      bytes += one.bytes;
      if (index > begin && (index - begin === MOST_ENTRIES || bytes > MOST_BYTES)) {
        void this.#sendTogether(waiting.slice(begin, index));
        begin = index;
        bytes = one.bytes;
      }
    }
    void this.#sendTogether(waiting.slice(begin));
  }

  async #sendTogether(waiting: readonly Waiting<Entry>[]): Promise<void> {
    try {
      const { Failed: failed = [] } = await this.#send(
        waiting.map(({ entry }, index) => ({ ...entry, Id: `${index}` })),
      );
      const errors = new Map(failed.map((one) => [one.Id, errorOf(one)]));
      for (const [index, { resolve, reject }] of waiting.entries()) {
        const error = errors.get(`${index}`);
        if (error === undefined) resolve();
        else reject(error);
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}

function errorOf({ Code: code = 'Unknown', Message: message = code }: BatchResultErrorEntry): Error {
  const error = new Error(message);
  error.name = code;
  return error;
}
