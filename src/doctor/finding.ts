import type { Config } from '../config/options.ts';

/** What `carpool doctor` finds. */

/** `problem`: the server, or a part of it, cannot work so. */
export type Outcome = 'ok' | 'warning' | 'problem';

export interface Finding {
  /** What was looked at, e.g. `ports`. */
  readonly check: string;
  readonly outcome: Outcome;
  /** One line. */
  readonly detail: string;
  /** A command that mends it, or what to do where no command can. */
  readonly cure?: string;
}

/** A finding before its check is named. */
export type Found = Omit<Finding, 'check'>;

export function ok(detail: string): Found {
  return { outcome: 'ok', detail };
}

export function warning(detail: string, cure: string): Found {
  return { outcome: 'warning', detail, cure };
}

export function problem(detail: string, cure: string): Found {
  return { outcome: 'problem', detail, cure };
}

/** What of the machine tests replace. */
export interface Machine {
  /** Where files of the kernel are looked for. */
  readonly root: string;
  /** ONNX Runtime's CUDA provider. */
  readonly providerFile: string;
  readonly nodeVersion: string;
  readonly memoryBytes: number;
  /** Resolves with the standard output of a program; rejects if it is not there, fails or takes too long. */
  readonly run: (command: string, args: readonly string[]) => Promise<string>;
  /** Whether a variable that is none of the options is set. */
  readonly isSet: (name: string) => boolean;
}

/** What a check looks at. */
export interface Patient {
  /** The default stands for each option whose value is wrong. */
  readonly config: Config;
  /** What is wrong with the options, in words. */
  readonly problems: readonly string[];
  readonly machine: Machine;
  /** Whether models are loaded, or only read. */
  readonly load: boolean;
}

export type Check = (patient: Patient) => Promise<readonly Found[]>;

/** Bytes in GB (of a billion), as findings tell them, without the unit. */
export function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
