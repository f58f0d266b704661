import type { ErrorCode, ServerError } from '../errors.ts';
import type { CutReason, Party, RunReport, TicketState } from './ticket.ts';

/** What happens in the core, for metrics and logs. Callbacks are called in the middle of the work: be quick, do not throw. */
export interface CoreEvents {
  /** Items were not admitted. */
  readonly refused?: (event: RefusedEvent) => void;
  /** A lane begins a run. */
  readonly started?: (event: StartedEvent) => void;
  /** A run has ended, with a report or an error. */
  readonly finished?: (event: FinishedEvent) => void;
  /** A ticket settled before its run or during it. */
  readonly left?: (event: LeftEvent) => void;
}

export interface RefusedEvent {
  readonly modelKey: string;
  readonly party: Party;
  readonly code: ErrorCode;
  readonly items: number;
}

/** A ticket of a run. */
export interface Rider {
  /** Id of its request. */
  readonly owner: string;
  readonly items: number;
  /** On the core's clock. */
  readonly enqueuedMs: number;
}

export interface StartedEvent {
  /** Rises by one per run of the core. */
  readonly run: number;
  /** On the core's clock. */
  readonly startedMs: number;
  /** Its tickets, those that go on from the run before among them. Not to be kept: they hold what they carry. */
  readonly riders: readonly Rider[];
  readonly modelKey: string;
  readonly lane: number;
  readonly items: number;
  readonly tickets: number;
  readonly cost: number;
  readonly cut: CutReason;
  /** Per ticket, from enqueueing to now. */
  readonly waitsMs: readonly number[];
}

export interface FinishedEvent {
  readonly run: number;
  readonly startedMs: number;
  readonly riders: readonly Rider[];
  readonly cut: CutReason;
  readonly modelKey: string;
  readonly lane: number;
  readonly items: number;
  readonly tickets: number;
  /** Absent when the lane gave an error instead. */
  readonly report?: RunReport<unknown>;
  readonly error?: ServerError;
  /** From the run call to its report. */
  readonly wallMs: number;
}

export interface LeftEvent {
  readonly modelKey: string;
  /** `late`: no run could have served it in time any more. */
  readonly why: 'cancelled' | 'expired' | 'late';
  readonly state: Exclude<TicketState, 'settled'>;
  readonly items: number;
}
