/** What `GET /live` sends, for the server that writes it and the page that reads it. Times are milliseconds of the server's own clock. */

/** Observations so far: their number, their sum, and how many fell into each range; the last range has no end. */
export interface Histogram {
  readonly count: number;
  readonly sum: number;
  readonly ranges: readonly number[];
}

/** Numbers by a label: a status, a reason. */
export type Counts = Readonly<Record<string, number>>;

/** The numbers of /metrics about one model; those that only grow are as of the start of the server. */
export interface ModelNumbers {
  /** Items. */
  readonly waiting: number;
  readonly running: number;
  readonly permits: number;
  readonly permitsLimit: number;
  readonly predictedWaitS: number;
  /** Requests answered, by status. */
  readonly requests: Counts;
  /** Requests refused, by reason. */
  readonly rejects: Counts;
  /** Items whose client left, or whose time ran out, by why. */
  readonly left: Counts;
  /** Batches, by why they grew no further. */
  readonly cuts: Counts;
  /** Work done, by unit (tokens, audio_seconds). */
  readonly work: Counts;
  /** Seconds from the first byte to the end of the reply. */
  readonly request: Histogram;
  /** Seconds in the queue. */
  readonly wait: Histogram;
  /** Seconds of runs. */
  readonly run: Histogram;
  /** Items of runs. */
  readonly batch: Histogram;
}

export type ModelState = 'ready' | 'asleep' | 'loading' | 'unloading' | 'unavailable';

/** A version of a model. */
export interface ModelRow {
  readonly name: string;
  readonly version: string;
  readonly state: ModelState;
  /** Why it does not serve, or why its last reload failed; else empty. */
  readonly reason: string;
  readonly task?: string;
  readonly description?: string;
  readonly devices?: readonly string[];
  /** Those that have it loaded, each with a copy of its weights. */
  readonly lanes?: number;
  /** Of the files that it is loaded from. */
  readonly fileBytes?: number;
  /** Most items of a run. */
  readonly maxItems?: number;
}

export interface LaneRow {
  readonly lane: number;
  readonly device: string;
  readonly up: boolean;
  /** So far. */
  readonly busyS: number;
}

export interface ProcessNumbers {
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** So far. */
  readonly cpuS: number;
  readonly connections: number;
  /** How late the main thread was, since the last frame. */
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
}

export interface JobNumbers {
  /** Jobs that this server has claimed, by source. */
  readonly held: Counts;
  /** Jobs that have ended, by outcome. */
  readonly ended: Counts;
  /** In JOBS_DIR, by status. */
  readonly stored: Counts;
  /** Batches of /v1/batches, by status. */
  readonly batches: Counts;
}

/** A request in a run: its id, how long its first item had waited, and how many of its items ride. */
export type Rider = readonly [id: string, waitMs: number, items: number];

/** A run of a lane; steps that one composition of riders takes one after the other are told as one. */
export interface Run {
  /** Told again under the same id when it ends, or goes on. */
  readonly id: number;
  readonly lane: number;
  readonly model: string;
  readonly startMs: number;
  /** Null: it goes on. */
  readonly ms: number | null;
  readonly items: number;
  /** How many steps. */
  readonly steps: number;
  /** Why the batch grew no further: items, cost, time, empty, delay. */
  readonly cut: string;
  /** Under a crowd not all are named. */
  readonly riders: readonly Rider[];
  readonly unnamed: number;
  /** Code of the error, if the run as a whole failed. */
  readonly error?: string;
}

/** What has changed since the frame before; in the first one, everything. */
export interface Frame {
  readonly atMs: number;
  readonly phase: string;
  readonly why: string;
  readonly process: ProcessNumbers;
  readonly lanes: readonly LaneRow[];
  readonly jobs?: JobNumbers;
  /** All of them. */
  readonly models?: readonly ModelRow[];
  /** Of the models whose numbers have changed; '' counts requests that named none. */
  readonly numbers?: Readonly<Record<string, ModelNumbers>>;
  readonly runs?: readonly Run[];
  /** Runs of which nothing is told, because there were too many. */
  readonly missedRuns?: number;
}

/** The first event, `welcome`; those after it are `frame`. The stream ends when the server goes. */
export interface Welcome {
  readonly version: string;
  /** Another one for each process: counters and ids begin anew there. */
  readonly instance: string;
  readonly everyMs: number;
  /** Upper ends of the ranges of histograms, without the last. */
  readonly bounds: { readonly seconds: readonly number[]; readonly items: readonly number[] };
  /** Whether models may be loaded and unloaded: MODEL_CONTROL=explicit, MANAGEMENT other than off, and a key that is for it. */
  readonly manages: boolean;
  /** Whether jobs can be asked for: there is somewhere that keeps them, and the key is for it. */
  readonly listsJobs: boolean;
  /** What the clock on the wall says at 0. */
  readonly wallMs: number;
  readonly frame: Frame;
}
