/**
 * Which model a free lane serves: the best effective level first, and among equals the model that has had the least lane
 * time. That is the rule of deficit round robin without its rounds: start-time fair queueing (Goyal, Vin and Cheng, 1996),
 * in milliseconds of lane time.
 */

/**
 * The most lane time by which one model may be ahead of another on the same lane. A model that also had lanes of its own may
 * be far ahead; if it stayed so, it would get nothing for as long once those lanes are lost.
 */
export const MAX_LEAD_MS = 60_000;

/** The lane time of one model, as a virtual time: only differences between models mean anything. */
export interface Share {
  /** Predicted for what runs, measured for what has run. */
  servedMs: number;
  /** `servedMs` before the last run that was started. */
  startMs: number;
}

/** A model with waiting tickets, on a free lane. */
export interface Candidate {
  /** Effective level of its head. */
  readonly level: number;
  readonly share: Share;
  /** Arrival of its head. */
  readonly sequence: number;
}

/**
 * The level at which a line of waiting tickets competes: its priority, and one level better for each `agingMs` that it was not
 * served; 1 at best. (If it were the time since arrival, a model with a long queue would count as starved although it is served
 * all the time, and priorities and fair shares would mean nothing under overload.)
 */
export function effectiveLevel(priority: number, unservedMs: number, agingMs: number): number {
  return Math.max(1, priority - Math.floor(unservedMs / agingMs));
}

/** The candidate to serve: best level, then least served, then first come; undefined when there is none. */
export function chooseNext<C extends Candidate>(candidates: readonly C[]): C | undefined {
  let best: C | undefined;
  for (const candidate of candidates) if (best === undefined || goesBefore(candidate, best)) best = candidate;
  return best;
}

function goesBefore(one: Candidate, other: Candidate): boolean {
  if (one.level !== other.level) return one.level < other.level;
  if (one.share.servedMs !== other.share.servedMs) return one.share.servedMs < other.share.servedMs;
  return one.sequence < other.sequence;
}

/** Forgives a lead of more than `MAX_LEAD_MS` over the least served of these. */
export function forgive(candidates: readonly Candidate[]): void {
  let leastMs = Infinity;
  for (const { share } of candidates) leastMs = Math.min(leastMs, share.servedMs);
  for (const { share } of candidates) share.servedMs = Math.min(share.servedMs, leastMs + MAX_LEAD_MS);
}

/** A run of the model starts. */
export function charge(share: Share, predictedMs: number): void {
  share.startMs = share.servedMs;
  share.servedMs += predictedMs;
}

/** A run of the model has ended, and took this long. */
export function correct(share: Share, predictedMs: number, actualMs: number): void {
  share.servedMs += actualMs - predictedMs;
}

/** What a rival of a model that has work again has been served, and whether it runs now. */
export interface Rival {
  readonly share: Share;
  readonly waitingTickets: number;
  readonly runningItems: number;
}

/**
 * A model has work again after having had none: it goes on where the others are, with no credit for the time it was idle.
 * A rival counts with the start of its run, so that the returning model is served after that run and not a run later.
 */
export function rejoin(share: Share, rivals: Iterable<Rival>): void {
  let leastMs = Infinity;
  let mostMs = 0;
  for (const rival of rivals) {
    mostMs = Math.max(mostMs, rival.share.servedMs);
    if (rival.runningItems > 0) leastMs = Math.min(leastMs, rival.share.startMs);
    else if (rival.waitingTickets > 0) leastMs = Math.min(leastMs, rival.share.servedMs);
  }
  share.servedMs = Math.max(share.servedMs, leastMs === Infinity ? mostMs : leastMs);
}
