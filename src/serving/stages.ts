import { systemClock } from '../core/clock.ts';

/** What a request's time is made of, for its trace (docs/operations.md, "Traces"). */
export type StageName = 'body' | 'decode' | 'fetch' | 'prepare' | 'queue' | 'run' | 'finish';

/** One of them, on the core's clock. */
export interface Stage {
  readonly name: StageName;
  readonly startMs: number;
  readonly endMs: number;
  /** Of a run: the lane, the items of the largest batch, and the number of the first run. */
  readonly run?: { readonly lane: number; readonly items: number; readonly number: number };
}

/** Most stages that are kept of a request: one of many items has three of each. */
const MOST_STAGES = 128;

/** Work that took less was none. */
const LEAST_MS = 0.02;

/** The stages of one request that is traced. */
export class Stages {
  readonly all: Stage[] = [];

  /** `endMs`: now, unless it is given. */
  add(name: StageName, startMs: number, endMs = systemClock.now(), run?: Stage['run']): void {
    if (this.all.length >= MOST_STAGES) return;
    this.all.push(run === undefined ? { name, startMs, endMs } : { name, startMs, endMs, run });
  }
}

/** The work, which begins now; noted as a stage of a request that is traced, unless it fails. */
export function asStage<Result>(
  { stages }: { readonly stages?: Stages | undefined },
  name: StageName,
  work: Promise<Result>,
): Promise<Result> {
  if (stages !== undefined) {
    const startMs = systemClock.now();
    // What needed no work is no stage: nothing was to be fetched.
    work.then(
      () => systemClock.now() - startMs >= LEAST_MS && stages.add(name, startMs),
      () => undefined,
    );
  }
  return work;
}
