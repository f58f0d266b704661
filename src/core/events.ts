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

export interface StartedEvent {
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
