import { CREDENTIALS, SqsServer } from '../../test/jobs/sqs/sqs-server.ts';
import type { RealQueue } from './real-queue.ts';

const GROUPS = 8;

/** ElasticMQ, with a FIFO queue of jobs in several groups and one of results. It keeps them in memory, so it is stopped, not killed. */
export async function sqsQueue(): Promise<RealQueue> {
  const server = await SqsServer.elasticMq();
  const jobs = await server.create('jobs', { fifo: true });
  const resultsUrl = await server.create('jobs-results', { fifo: true });
  const results = new Results(server, resultsUrl);
  const { port } = new URL(server.url);
  const at = (url: string, other: number): string => url.replace(`:${port}`, `:${other}`);
  let sent = 0;
  return {
    name: 'sqs',
    port: Number(port),
    env: (other) => ({
      JOB_SOURCE: 'sqs',
      JOB_QUEUE: at(jobs, other),
      JOB_RESULTS_QUEUE: at(resultsUrl, other),
      ...CREDENTIALS,
    }),
    send: (job) => server.send(jobs, job, `group-${(sent += 1) % GROUPS}`),
    result: (id) => results.of(id),
    async jobs() {
      const count = await server.count(jobs);
      // Those of the jobs that are gone are there now.
      results.isStale = true;
      return count;
    },
    deadLetters: () => Promise.resolve(0),
    async resultsStored() {
      results.isStale = true;
      await results.of('');
      return results.taken;
    },
    pause: () => server.pause(),
    stop: () => server.stop(),
  };
}

/** What was taken off the queue of results, by the ids of their jobs. */
class Results {
  /** Whether there may be new ones. */
  isStale = true;
  taken = 0;
  readonly #lines = new Map<string, string>();
  readonly #server: SqsServer;
  readonly #url: string;

  constructor(server: SqsServer, url: string) {
    this.#server = server;
    this.#url = url;
  }

  async of(id: string): Promise<string | undefined> {
    if (this.isStale)
      for (const { Body: line = '', MessageAttributes: facts } of await this.#server.take(this.#url, 0)) {
        this.taken += 1;
        const name = facts?.['JobId']?.StringValue ?? '';
        this.#lines.set(name, this.#lines.get(name) ?? line);
      }
    this.isStale = false;
    return this.#lines.get(id);
  }
}
