/**
 * What became of a command. `failed`: its own fault, as far as can be told, so another try counts. `given_back`: not its fault; its last complete
 * checkpoint is stored, unless the storage is the reason. `cancelled`: it is not wanted any more, or not this server's.
 */
export type CommandOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'given_back'; readonly reason: string; readonly restMs: number }
  | { readonly kind: 'cancelled' };

/** What is told of a command that has ended. */
export interface CommandReport {
  /** Absent: it was not started, or a signal has ended it. */
  exitCode?: number;
  signal?: NodeJS.Signals;
  /** The end of what it has printed. */
  outputTail: string;
  /** Bringing its inputs. */
  downloadMs: number;
  runMs: number;
  /** From the end of its program until all was stored. */
  uploadMs: number;
}
