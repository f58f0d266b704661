/**
 * Which model a free lane serves: the best effective level first, and among equals the most urgent as long as the others can wait for it. Models that
 * cannot wait, or that have more waiting than their lanes can take, go by the lane time that they have had: the least served first. That is
 * the rule of deficit round robin without its rounds: start-time fair queueing (Goyal, Vin and Cheng, 1996), in milliseconds of lane time over the
 * model's weight. (By lane time alone, each request of a rare model would run at once and alone, and the frequent models, whose batches are large, would wait for it.)
 */

/**
 * The most lane time by which one model may be ahead of another on the same lane. A model that also had lanes of its own may
 * be far ahead; if it stayed so, it would get nothing for as long once those lanes are lost.
 */
export const MAX_LEAD_MS = 60_000;

/** The lane time of one model over its weight, as a virtual time: only differences between models mean anything. */
export interface Share {
  /** Predicted for what runs, measured for what has run. */
  servedMs: number;
  /** `servedMs` before the last run that was started. */
  startMs: number;
  /** Lane time counts divided by this: a model of twice the weight has twice the lane time where there is too little for all. */
  readonly weight: number;
}

/** A model with waiting tickets, on a free lane. */
export interface Candidate {
  /** Effective level of its head. */
  readonly level: number;
  readonly share: Share;
  /** Of its head's party, over all models: between two parties it comes first. */
  readonly partyShare: Share;
  /** Arrival of its head. */
  readonly sequence: number;
  /** When its run has to start. */
  readonly dueMs: number;
  /** Predicted time of that run. */
  readonly runMs: number;
  /** More waits than its lanes can take with a run each, or its runs follow one another without end. */
  readonly isBacklogged: boolean;
  /** More than half of its requests cannot be served. */
  readonly isFlooded: boolean;
}

/**
 * The level at which a line of waiting tickets competes: its priority, and one level better for each `agingMs` that it was not
 * served; 1 at best. (If it were the time since arrival, a model with a long queue would count as starved although it is served
 * all the time, and priorities and fair shares would mean nothing under overload.)
 */
export function effectiveLevel(priority: number, unservedMs: number, agingMs: number): number {
  return Math.max(1, priority - Math.floor(unservedMs / agingMs));
}

/**
 * The candidate to serve: of those of the best level the one that is due first, unless one that has been served less objects to it. `freeMs`: when another
 * lane will be free for a candidate.
 */
export function chooseNext<C extends Candidate>(
  candidates: readonly C[],
  nowMs: number,
  freeMs: (candidate: C) => number,
): C | undefined {
  let urgent: C | undefined;
  for (const candidate of candidates) if (urgent === undefined || isMoreUrgent(candidate, urgent)) urgent = candidate;
  if (urgent === undefined) return undefined;
  let next = urgent;
  for (const candidate of candidates) {
    if (candidate.level !== urgent.level || !isServedLess(candidate, next)) continue;
    if (isOfItsShare(candidate, urgent) || !canWait(candidate, urgent, { nowMs, freeMs })) next = candidate;
  }
  return next;
}

/** Whether a candidate need not wait for one that was served more, however urgent that is: two backlogs go by shares, and a flood yields to those who flood nothing. */
function isOfItsShare(candidate: Candidate, urgent: Candidate): boolean {
  return candidate.isBacklogged || urgent.isBacklogged || (urgent.isFlooded && !candidate.isFlooded);
}

/** Whether a lane will be free in time for a candidate if the urgent one goes first. */
function canWait<C extends Candidate>(
  candidate: C,
  urgent: C,
  { nowMs, freeMs }: { nowMs: number; freeMs: (candidate: C) => number },
): boolean {
  return candidate.dueMs > nowMs + urgent.runMs || candidate.dueMs > freeMs(candidate);
}

function isMoreUrgent(one: Candidate, other: Candidate): boolean {
  if (one.level !== other.level) return one.level < other.level;
  if (one.dueMs !== other.dueMs) return one.dueMs < other.dueMs;
  return isServedLess(one, other);
}

function isServedLess(one: Candidate, other: Candidate): boolean {
  if (one.partyShare.servedMs !== other.partyShare.servedMs) return one.partyShare.servedMs < other.partyShare.servedMs;
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
  share.servedMs += predictedMs / share.weight;
}

/** A run of the model has ended, and took this long. */
export function correct(share: Share, predictedMs: number, actualMs: number): void {
  share.servedMs += (actualMs - predictedMs) / share.weight;
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
