import type { Dialect } from '../dialects/shared/dialect.ts';
import type { Cancellation } from './cancellation.ts';
import type { Deadline } from './deadline.ts';
import type { ServedModel } from './served-model.ts';
import type { RequestTiming } from './timing.ts';

/** Whoever asks: an exchange of HTTP, or a job. What the door learns of the request on its way is told here, for logs, metrics and statistics. */
export interface Requester {
  readonly id: string;
  readonly deadline: Deadline;
  readonly cancellation: Cancellation;
  /** Its client, for the client's share of budgets. */
  readonly address?: string | undefined;
  /** What is to be given back when the request is over. */
  releaseLater(release: () => void): void;
  /** Whose shape its errors have: a body may turn out to be of another dialect. */
  dialect: Dialect;
  items: number;
  /** Where its time went; set when it has been served. */
  timing: RequestTiming | undefined;
  /** The model that serves it, whose time limit is its own. */
  serveWith(model: ServedModel): void;
  /** Names of its fields that nobody heeds. */
  tellIgnored(names: readonly string[]): void;
}
