import { randomUUID } from 'node:crypto';
import { HTTP, type Dialect } from '../dialects/shared/dialect.ts';
import type { Cancellation } from '../serving/cancellation.ts';
import type { Deadline } from '../serving/deadline.ts';
import type { Requester } from '../serving/requester.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { Stages } from '../serving/stages.ts';
import type { RequestTiming } from '../serving/timing.ts';

/** The ids of a node. */
export type NodeFacts = Readonly<Record<string, string>>;

/** A job at the door. Its time limit is the job's own: that of the model's requests suits a client that waits, and a job has none. */
export class JobRequester implements Requester {
  readonly id = randomUUID();
  readonly party = 'jobs';
  readonly deadline: Deadline;
  readonly cancellation: Cancellation;
  stages: Stages | undefined;
  dialect: Dialect = HTTP;
  items = 0;
  timing: RequestTiming | undefined;
  model: ServedModel | undefined;
  ignored: readonly string[] = [];
  onFetching: ((isFetching: boolean) => void) | undefined;
  /** Where it is served, for its result. */
  readonly node: NodeFacts | undefined;
  readonly #releases: (() => void)[] = [];

  constructor(deadline: Deadline, cancellation: Cancellation, node?: NodeFacts) {
    this.node = node;
    this.deadline = deadline;
    this.cancellation = cancellation;
  }

  serveWith(model: ServedModel): void {
    this.model = model;
  }

  tellIgnored(names: readonly string[]): void {
    this.ignored = names;
  }

  releaseLater(release: () => void): void {
    this.#releases.push(release);
  }

  /** The job is over. */
  release(): void {
    for (const release of this.#releases.splice(0)) release();
  }
}
