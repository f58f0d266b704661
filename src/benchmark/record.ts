import type { Outcome } from './sender.ts';

/** Stages of `Server-Timing`, in their order. */
export const STAGES = ['prepare', 'queue', 'batch', 'run', 'finish', 'total'] as const;
export type Stage = (typeof STAGES)[number];

/** Different reasons of failures that are told. */
const MOST_REASONS = 10;

/** All that a load has measured, in columns: millions of requests are objects no collector should walk. */
export class Records {
  /** From the start of the load, when a request was due. */
  readonly dueMs: number[] = [];
  readonly latencyMs: number[] = [];
  readonly status: number[] = [];
  /** By stage; of answers alone. */
  readonly stages = new Map<Stage, number[]>(STAGES.map((stage) => [stage, []]));
  readonly batchItems: number[] = [];
  readonly firstTokenMs: number[] = [];
  readonly betweenTokensMs: number[] = [];
  /** Failures by reason. */
  readonly reasons = new Map<string, number>();
  /** Not sent, because too many were under way. */
  dropped = 0;

  /** Adds a request that was due at `dueMs`, whose answer is whole after `latencyMs`; `beganMs` is its due time by `performance.now()`. */
  add(outcome: Outcome, { dueMs, latencyMs, beganMs }: { dueMs: number; latencyMs: number; beganMs: number }): void {
    this.dueMs.push(dueMs);
    this.latencyMs.push(latencyMs);
    this.status.push(outcome.status);
    if (!isAnswer(outcome.status)) {
      this.#fail(outcome);
      return;
    }
    if (outcome.timing !== undefined)
      for (const [, name = '', text = ''] of outcome.timing.matchAll(/(\w+);dur=([\d.]+)/g))
        if (Number.isFinite(Number(text))) this.stages.get(name as Stage)?.push(Number(text));
    const batchItems = Number(outcome.batchItems);
    if (Number.isFinite(batchItems)) this.batchItems.push(batchItems);
    const times = outcome.tokensMs;
    const [first] = times ?? [];
    if (times === undefined || first === undefined) return;
    this.firstTokenMs.push(first - beganMs);
    for (let index = 1; index < times.length; index += 1)
      this.betweenTokensMs.push((times[index] ?? 0) - (times[index - 1] ?? 0));
  }

  #fail({ status, problem }: Outcome): void {
    if (isRefusal(status)) return;
    const reason = problem ?? `status ${status}`;
    if (this.reasons.size < MOST_REASONS || this.reasons.has(reason))
      this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }
}

export function isAnswer(status: number): boolean {
  return status >= 200 && status < 300;
}

/** The server says that it has too much to do, or is not ready. */
export function isRefusal(status: number): boolean {
  return status === 429 || status === 503;
}
