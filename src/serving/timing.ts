/** How a request's time was spent, in milliseconds; of several items the longest of each, because they overlap. */
export interface RequestTiming {
  prepareMs: number;
  queueMs: number;
  stackMs: number;
  runMs: number;
  splitMs: number;
  finishMs: number;
  /** Items of its largest batch. */
  batchItems: number;
  /** Lanes it ran on. */
  readonly lanes: Set<number>;
  /** Of speech that was transcribed. */
  audioSeconds?: number;
  /** Of texts that have run, all items together. */
  promptTokens?: number;
  /** For answers that tell them (`AnswerTiming`). */
  totalMs: number;
  readonly loadMs: number;
  promptMs?: number;
  writeMs?: number;
}

/** Seconds of audio that were transcribed in a second of the request's time; undefined for anything but speech. */
export function realtimeFactor({ audioSeconds }: RequestTiming, elapsedMs: number): number | undefined {
  return audioSeconds === undefined ? undefined : audioSeconds / Math.max(0.001, elapsedMs / 1000);
}

export function emptyTiming(loadMs = 0): RequestTiming {
  return {
    prepareMs: 0,
    queueMs: 0,
    stackMs: 0,
    runMs: 0,
    splitMs: 0,
    finishMs: 0,
    batchItems: 0,
    totalMs: 0,
    loadMs,
    lanes: new Set(),
  };
}

/** Adds one ticket's timing to its request's. */
export function addTicket(
  timing: RequestTiming,
  ticket: { queueMs: number; stackMs: number; runMs: number; splitMs: number; batchItems: number; lane: number },
): void {
  timing.queueMs = Math.max(timing.queueMs, ticket.queueMs);
  timing.stackMs = Math.max(timing.stackMs, ticket.stackMs);
  timing.runMs = Math.max(timing.runMs, ticket.runMs);
  timing.splitMs = Math.max(timing.splitMs, ticket.splitMs);
  timing.batchItems = Math.max(timing.batchItems, ticket.batchItems);
  timing.lanes.add(ticket.lane);
}
