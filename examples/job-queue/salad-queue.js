import { randomUUID } from 'node:crypto';
import { request } from 'node:http';

/**
 * A stand-in for SaladCloud's job queue with its worker program (salad-http-job-queue-worker 0.6.0), as far as a server sees them: one job at a time, as
 * `POST <queue_connection.path>` with the job's `input` alone and its id in `Salad-Job-Id`, without a time limit.
 */

/** A job that is rejected comes again three times. */
const MOST_ATTEMPTS = 4;
const MOST_RESULT_BYTES = 10 * 1024 * 1024;

export class SaladQueue {
  #waiting = [];
  #url;

  /** `url` is where the worker sends jobs: the port and path of `queue_connection`. */
  constructor(url) {
    this.#url = url;
  }

  /** As `POST .../queues/<name>/jobs` does. `interruptAfterMs`: the first attempt is cut off then, as when a node is taken away. */
  submit(input, { interruptAfterMs } = {}) {
    const job = { id: randomUUID(), input, status: 'pending', attempts: 0, output: undefined, interruptAfterMs };
    this.#waiting.push(job);
    return job;
  }

  /** Works until no job is left. */
  async run() {
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
      job.status = 'running';
      job.attempts += 1;
      const output = await this.#attempt(job);
      if (output !== undefined) Object.assign(job, { status: 'succeeded', output });
      else if (job.attempts < MOST_ATTEMPTS) this.#waiting.push(Object.assign(job, { status: 'pending' }));
      else job.status = 'failed';
    }
  }

  /** The output of a job that ends, undefined if it is rejected: 408, 429, 5xx, no answer, or one that the service does not take. */
  async #attempt(job) {
    try {
      const { status, text } = await post(this.#url, job, job.attempts === 1 ? job.interruptAfterMs : undefined);
      const isRejected =
        status === 408 || status === 429 || status >= 500 || Buffer.byteLength(text) > MOST_RESULT_BYTES;
      return isRejected ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    }
  }
}

/** Node's own client: `fetch` has time limits that the worker has not. */
function post(url, { id, input }, interruptAfterMs) {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Salad-Job-Id': id };
    const sent = request(url, { method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, text }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(input));
    if (interruptAfterMs !== undefined) setTimeout(() => sent.destroy(), interruptAfterMs);
  });
}
