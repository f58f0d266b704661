import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { Frame, Welcome } from '../../../web/live/protocol.ts';
import type { CoreEvents } from '../../core/events.ts';
import type { Clock } from '../../core/ticket.ts';
import { messageOf, ServerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { BOUNDS, type Metrics } from '../../metrics.ts';
import type { Repository } from '../../repository/repository.ts';
import { nameOfKey } from '../../serving/core-metrics.ts';
import type { ServedModel } from '../../serving/served-model.ts';
import type { ServerState } from '../../state.ts';
import { modelRows } from './models.ts';
import { readJobs, readLanes, readModels, readProcess } from './numbers.ts';
import { RunLog } from './runs.ts';

/** A frame each. */
export const EVERY_MS = 250;
/** Most pages at a time. */
const MOST_PAGES = 8;
/** The monitor of the event loop measures a timer: the rest is delay. */
const RESOLUTION_MS = 10;
const RANGES = { seconds: BOUNDS.seconds.length, items: BOUNDS.items.length };

/** A page that is open. Both are called with the text of JSON; `end` is the last call. */
export interface Page {
  readonly send: (name: 'welcome' | 'frame', data: string) => void;
  readonly end: () => void;
}

export interface FeedParts {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly state: Pick<ServerState, 'phase' | 'why'>;
  readonly repository: Pick<Repository<ServedModel>, 'index' | 'list' | 'asleep'>;
  readonly refreshGauges: () => void;
  readonly version: string;
  readonly log: Pick<Log, 'error'>;
}

/** What a page may do. */
export type Rights = Pick<Welcome, 'manages' | 'listsJobs'>;

interface OpenPage extends Page {
  readonly rights: Rights;
  isWelcomed: boolean;
}

/**
 * Tells open pages what the server does, four times a second: the numbers of /metrics and the runs of all lanes. All pages get the same frames, each made
 * once. While no page is open it costs a look at a flag for each run.
 */
export class LiveFeed {
  readonly #parts: FeedParts;
  readonly #instance = randomUUID();
  readonly #runs = new RunLog(nameOfKey);
  readonly #pages = new Set<OpenPage>();
  /** What pages know by now, as text, so that only changes are told. */
  readonly #told = new Map<string, string>();
  #delay: IntervalHistogram | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isClosed = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** What it wants to know of the core. */
  readonly events: Required<Pick<CoreEvents, 'started' | 'finished'>> = {
    started: (event) => {
      if (this.#timer !== undefined) this.#runs.started(event);
    },
    finished: (event) => {
      if (this.#timer !== undefined) this.#runs.finished(event);
    },
  };

  /** Adds a page, which is soon welcomed; the returned function takes it off. Throws QUEUE_FULL, DRAINING. */
  add(page: Page, rights: Rights): () => void {
    if (this.#isClosed) throw new ServerError('DRAINING');
    if (this.#pages.size >= MOST_PAGES)
      throw new ServerError('QUEUE_FULL', `This is shown to at most ${MOST_PAGES} pages at a time.`, {
        retryAfterMs: 10_000,
      });
    const open: OpenPage = { ...page, rights, isWelcomed: false };
    this.#pages.add(open);
    this.#start();
    void this.#tell();
    return () => {
      this.#pages.delete(open);
      if (this.#pages.size === 0) this.#stop();
    };
  }

  /** Ends what all pages read; there are no more. */
  close(): void {
    this.#isClosed = true;
    for (const page of this.#pages) page.end();
    this.#pages.clear();
    this.#stop();
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => void this.#tell(), EVERY_MS).unref();
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#delay?.disable();
    this.#runs.clear();
    this.#told.clear();
  }

  async #tell(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const { whole, changes } = await this.#read();
      let text: string | undefined;
      for (const page of this.#pages) {
        if (page.isWelcomed) page.send('frame', (text ??= JSON.stringify(changes)));
        else page.send('welcome', JSON.stringify(this.#welcome(page, whole)));
        page.isWelcomed = true;
      }
    } catch (error) {
      this.#parts.log.error({ reason: messageOf(error) }, 'the numbers for pages could not be read');
    } finally {
      this.#isReading = false;
    }
  }

  #welcome({ rights }: OpenPage, frame: Frame): Welcome {
    const { version, clock } = this.#parts;
    const about = { version, instance: this.#instance, everyMs: EVERY_MS, bounds: BOUNDS };
    return { ...about, ...rights, wallMs: Date.now() - clock.now(), frame };
  }

  /** All there is to know now, and what of it is new. */
  async #read(): Promise<{ readonly whole: Frame; readonly changes: Frame }> {
    const { metrics, clock, state, repository, refreshGauges } = this.#parts;
    refreshGauges();
    const [numbers, lanes, jobs, numbersOfProcess] = await Promise.all([
      readModels(metrics, RANGES),
      readLanes(metrics),
      readJobs(metrics),
      readProcess(metrics),
    ]);
    const models = modelRows(repository);
    const { runs, missed } = this.#runs.take();
    const always = {
      atMs: Math.round(clock.now()),
      phase: state.phase,
      why: state.why,
      process: { ...numbersOfProcess, ...this.#delays() },
      lanes,
    };
    const changed = [...numbers].filter(([name, value]) => this.#isNew(`numbers ${name}`, value));
    return {
      whole: { ...always, jobs, models, numbers: Object.fromEntries(numbers), runs: this.#runs.recent() },
      changes: {
        ...always,
        ...(this.#isNew('jobs', jobs) ? { jobs } : {}),
        ...(this.#isNew('models', models) ? { models } : {}),
        ...(changed.length > 0 ? { numbers: Object.fromEntries(changed) } : {}),
        ...(runs.length > 0 ? { runs } : {}),
        ...(missed > 0 ? { missedRuns: missed } : {}),
      },
    };
  }

  #delays(): { readonly delayP99Ms: number; readonly delayMaxMs: number } {
    const delay = this.#delay;
    const late = (nanoseconds: number): number =>
      Math.max(0, Math.round((nanoseconds / 1e6 - RESOLUTION_MS) * 10) / 10);
    const delays = {
      delayP99Ms: delay === undefined || delay.count === 0 ? 0 : late(delay.percentile(99)),
      delayMaxMs: delay === undefined || delay.count === 0 ? 0 : late(delay.max),
    };
    delay?.reset();
    return delays;
  }

  #isNew(name: string, value: unknown): boolean {
    const text = JSON.stringify(value);
    if (this.#told.get(name) === text) return false;
    this.#told.set(name, text);
    return true;
  }
}
