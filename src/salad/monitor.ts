import type { FinishedEvent } from '../core/events.ts';
import type { Clock } from '../core/ticket.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Gpu } from './gpu.ts';
import { judge, type Judgement, type MonitorLimits, type WindowFacts } from './judgement.ts';

export interface MonitorParts {
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly limits: MonitorLimits;
  readonly windowMs: number;
  /** Undefined: there is no GPU to look at. */
  readonly readGpu: (() => Promise<Gpu | undefined>) | undefined;
  /** Seconds of audio that have been transcribed so far. */
  readonly audioSeconds: () => Promise<number>;
  /** Sets the part of its permits, and of the jobs held, that the server uses: above 0, up to 1. */
  readonly limitQueues: (part: number) => void;
  /** The node is not fit any more. */
  readonly giveUp: (reason: string) => Promise<unknown>;
}

/** What counts of a run. */
export type LaneRun = Pick<FinishedEvent, 'items' | 'tickets' | 'wallMs' | 'report' | 'error'>;

/** The queues are cut no further. */
const LEAST_PART = 0.25;
/** A node is excluded for two days: one bad window is not enough. */
const UNFIT_WINDOWS = 2;
const FIRST_SERVER_ERROR = 500;

/**
 * Looks at how a node does, window by window: what its lanes serve in the time that they run, how much of it fails, and how hot and full its GPU is. It
 * halves the queues of a node that is slow, lets them grow again when it is not, and gives up one that is far too slow.
 */
export class Monitor {
  readonly #parts: MonitorParts;
  #window = emptyWindow();
  #audioBefore = 0;
  #part = 1;
  #unfitWindows = 0;
  #forget: (() => void) | undefined;

  constructor(parts: MonitorParts) {
    this.#parts = parts;
  }

  /** Begins the first window. */
  async start(): Promise<void> {
    this.#audioBefore = await this.#parts.audioSeconds();
    this.#window = emptyWindow();
    this.#next();
  }

  stop(): void {
    this.#forget?.();
  }

  /** A run of the core has ended. */
  ran({ items, tickets, wallMs, report, error }: LaneRun): void {
    const window = this.#window;
    window.busyMs += wallMs;
    window.items += items;
    window.tickets += tickets;
    if (error !== undefined) window.failed += tickets;
    for (const outcome of report?.outcomes ?? [])
      if (!outcome.ok && outcome.error.status >= FIRST_SERVER_ERROR) window.failed += 1;
  }

  #next(): void {
    this.#forget = this.#parts.clock.after(this.#parts.windowMs, () => void this.#close());
  }

  async #close(): Promise<void> {
    const { log, limits } = this.#parts;
    try {
      const facts = await this.#facts();
      const judgement = judge(facts, limits);
      await this.#act(facts, judgement);
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'the node could not be judged');
    }
    this.#next();
  }

  async #facts(): Promise<WindowFacts> {
    const { items, tickets, failed, busyMs } = this.#window;
    this.#window = emptyWindow();
    const { readGpu, audioSeconds, log } = this.#parts;
    const audio = await audioSeconds();
    const heard = audio - this.#audioBefore;
    this.#audioBefore = audio;
    const gpu = await readGpu?.().catch((error: unknown) => {
      log.warn({ reason: messageOf(error) }, 'nvidia-smi does not answer');
      return undefined;
    });
    const busySeconds = busyMs / 1000;
    return {
      samples: tickets,
      itemsPerSecond: busySeconds === 0 ? 0 : items / busySeconds,
      errorPercent: tickets === 0 ? 0 : (100 * failed) / tickets,
      realtimeFactor: heard > 0 && busySeconds > 0 ? heard / busySeconds : undefined,
      celsius: gpu?.celsius,
      memoryPercent: gpu === undefined ? undefined : 100 * (1 - gpu.freeMb / gpu.memoryMb),
    };
  }

  async #act(facts: WindowFacts, { verdict, reasons }: Judgement): Promise<void> {
    const { log, giveUp } = this.#parts;
    this.#unfitWindows = verdict === 'unfit' ? this.#unfitWindows + 1 : 0;
    if (verdict === 'low' || verdict === 'unfit') this.#limit(Math.max(LEAST_PART, this.#part / 2));
    if (verdict === 'good') this.#limit(Math.min(1, this.#part * 2));
    const isFine = verdict === 'good' || verdict === 'unknown';
    log[isFine ? 'info' : 'warn']({ verdict, reasons, ...rounded(facts), queuePart: this.#part }, 'how the node does');
    if (this.#unfitWindows >= UNFIT_WINDOWS) await giveUp(reasons.join('; '));
  }

  #limit(part: number): void {
    if (part === this.#part) return;
    this.#part = part;
    this.#parts.limitQueues(part);
  }
}

interface Window {
  items: number;
  tickets: number;
  failed: number;
  busyMs: number;
}

function emptyWindow(): Window {
  return { items: 0, tickets: 0, failed: 0, busyMs: 0 };
}

function rounded(facts: WindowFacts): Record<string, number> {
  const known = Object.entries(facts).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return Object.fromEntries(known.map(([name, value]) => [name, Math.round(value * 100) / 100]));
}
