import type { Party } from '../core/ticket.ts';
import type { Dialect } from '../dialects/shared/dialect.ts';
import type { Cancellation } from './cancellation.ts';
import type { Deadline } from './deadline.ts';
import type { ServedModel } from './served-model.ts';
import type { Stages } from './stages.ts';
import type { RequestTiming } from './timing.ts';

/** The source of a request: an exchange of HTTP, or a job. The door tells it what it learns of the request, for logs, metrics and statistics. */
export interface Requester {
  readonly id: string;
  readonly deadline: Deadline;
  readonly cancellation: Cancellation;
  /** Default: clients. */
  readonly party?: Party;
  /** Its client, for the client's share of budgets. */
  readonly address?: string | undefined;
  /** Told when inputs that the request names by URL begin to be fetched, and when they have been. */
  readonly onFetching?: ((isFetching: boolean) => void) | undefined;
  /** Calls `release` when the request is over. */
  releaseLater(release: () => void): void;
  /** The dialect of its errors; the body may turn out to be of another one. */
  dialect: Dialect;
  items: number;
  /** What its time is made of, for its trace; absent unless it is traced. */
  readonly stages?: Stages | undefined;
  /** How its time was spent; set when it has been served. */
  timing: RequestTiming | undefined;
  /** Called with the model that serves it, whose time limit then counts. */
  serveWith(model: ServedModel): void;
  /** Called with the names of fields that are ignored. */
  tellIgnored(names: readonly string[]): void;
}
