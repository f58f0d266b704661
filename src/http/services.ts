import type { Config } from '../config/options.ts';
import type { Log } from '../log.ts';
import type { Batches } from '../jobs/batches/batches.ts';
import type { JobBoard } from '../jobs/job-board.ts';
import type { JobPlaces } from '../jobs/job-places.ts';
import type { Outbox } from '../jobs/webhooks/outbox.ts';
import type { Metrics } from '../metrics.ts';
import type { Repository } from '../repository/repository.ts';
import type { Door } from '../serving/door.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { ServerState } from '../state.ts';
import type { ServerStorage } from '../storage/server-storage.ts';
import type { Tracer } from '../tracing/tracer.ts';
import type { NodeIdentity } from '../salad/identity.ts';
import type { LiveFeed } from '../web/live/feed.ts';
import type { BodyBudget } from './body-budget.ts';
import type { Keys } from './keys/keys.ts';

/** What routes may use. */
export interface Services {
  readonly config: Config;
  readonly version: string;
  readonly state: ServerState;
  readonly log: Log;
  /** One line a request. */
  readonly access: Log;
  readonly metrics: Metrics;
  readonly repository: Repository<ServedModel>;
  readonly door: Door;
  /** Threads of the CPU pool. */
  readonly cpuThreads: number;
  readonly budget: BodyBudget;
  readonly storage: ServerStorage;
  /** Where bodies and answers of jobs may lie. */
  readonly jobPlaces: JobPlaces;
  /** The node of SaladCloud; undefined elsewhere. */
  readonly node?: NodeIdentity | undefined;
  /** Jobs that clients have sent, in the queue of JOB_SOURCE once that is open, or in JOBS_DIR; undefined without either. */
  readonly jobs?: JobBoard | undefined;
  /** Files and batches that clients have sent; undefined without JOBS_DIR. */
  readonly batches?: Batches | undefined;
  /** Undefined: everyone may do everything. */
  readonly keys?: Keys | undefined;
  /** Absent: no traces. */
  readonly tracer: Tracer | undefined;
  /** Webhooks that are to be sent. */
  readonly outbox: Outbox;
  /** What `carpool` chose at start, in words: lanes, devices. */
  readonly plan: () => { lanes: number; why: string };
  /** Brings the gauges up to date, before a scrape. */
  readonly refreshGauges: () => void;
  /** What open pages are told. */
  readonly live: LiveFeed;
}
